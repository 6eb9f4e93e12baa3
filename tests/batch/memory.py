"""Measure the worker's peak memory by file size: `python -m tests.batch.memory 100000 1000000`."""

import os
import sys
import time

from localstack.cloud import BUCKET
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, mixed_file
from tests.support.batch.processes import Overrides
from worker.chunks import CHUNK_ROWS
from worker.results import ROWS_AT_ONCE

PIECE_ROWS = 10_000
"""The number of generated rows, which are repeated to the size of the file."""
MAX_GROWTH = 1.1
DEFAULTS: Overrides = {"worker.chunks.CHUNK_ROWS": CHUNK_ROWS, "worker.results.ROWS_AT_ONCE": ROWS_AT_ONCE}


def peak(harness: Harness, rows: int, overrides: Overrides = DEFAULTS) -> int:
    """Return the peak memory in KiB of a new worker that processes a file with this many rows."""
    deliveries = Deliveries(harness, {**overrides, "worker.batch.TURN": 1e9})
    task = harness.task(harness.client(10**12), 1)
    header, piece = b"operation,arguments\n", mixed_file(PIECE_ROWS, 1).partition(b"\n")[2]
    harness.cloud.s3.put_object(Bucket=BUCKET, Key=task.key, Body=header + piece * (rows // PIECE_ROWS))
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
            seconds = time.monotonic() - began
            print(f"{rows:>10} rows  {peaks[-1] / 1024:6.1f} MiB peak  {seconds:5.0f} s", flush=True)
    if max(peaks) > MAX_GROWTH * peaks[0]:
        sys.exit("The peak memory grows with the size of the file.")


if __name__ == "__main__":
    main()
