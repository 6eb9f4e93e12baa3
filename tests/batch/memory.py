"""The worker's peak memory by the size of its file: `python -m tests.batch.memory 100000 1000000`."""

import os
import sys
import time

from localstack.cloud import BUCKET
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, mixed_file
from tests.support.batch.processes import Overrides
from worker.chunks import CHUNK_ROWS
from worker.results import ROWS_AT_ONCE

PIECE = 10_000
"""Rows that are made at once, and repeated."""
ALLOWED = 1.1
AS_SHIPPED: Overrides = {"worker.chunks.CHUNK_ROWS": CHUNK_ROWS, "worker.results.ROWS_AT_ONCE": ROWS_AT_ONCE}


def peak(harness: Harness, rows: int, overrides: Overrides = AS_SHIPPED) -> int:
    """The most that a fresh worker has in memory for a file of so many rows, in KiB."""
    deliveries = Deliveries(harness, {**overrides, "worker.batch.TURN": 1e9})
    task = harness.task(harness.client(10**12), 1)
    header, piece = b"operation,arguments\n", mixed_file(PIECE, 1).partition(b"\n")[2]
    harness.cloud.s3.put_object(Bucket=BUCKET, Key=task.key, Body=header + piece * (rows // PIECE))
    deliveries.until_idle(limit=60 + rows / 1000)
    assert deliveries.outcomes == {"done": 1}
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("completed", rows)
    worker = deliveries.worker()
    found = worker.peak_memory()
    worker.close()
    return found


def main() -> None:
    peaks = list[int]()
    with Harness.prepared() as harness:
        os.environ.update(harness.environment)
        for rows in map(int, sys.argv[1:]):
            began = time.monotonic()
            peaks.append(peak(harness, rows))
            took = time.monotonic() - began
            print(f"{rows:>10} rows  {peaks[-1] / 1024:6.1f} MiB at the most  {took:5.0f} s", flush=True)
    if max(peaks) > ALLOWED * peaks[0]:
        sys.exit("memory grows with the file")


if __name__ == "__main__":
    main()
