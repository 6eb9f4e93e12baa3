"""Run the real worker once in its own process, measure each step, and print the measurements as JSON.

A step's processor time excludes that of the steps that it calls. Two threads share the steps: one reads,
parses and computes ahead, the other bills, and writes the results at the end.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import Any

from shared.database.connection import Database
from worker import batch, blocks, chunk_billing, chunks
from worker.handler import handler
from worker.s3_writer import S3ObjectWriter


class NoLimit:
    """A Lambda context whose remaining time never decreases."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class Steps:
    """The processor time of each step, in seconds."""

    def __init__(self) -> None:
        self.seconds = defaultdict[str, float](float)
        self._thread = local()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the processor time of the block, without that of the steps inside, to a step."""
        outer: list[float] = getattr(self._thread, "inside", [])
        self._thread.inside = inside = list[float]()
        began = time.thread_time()
        try:
            yield
        finally:
            used = time.thread_time() - began
            self.seconds[step] += used - sum(inside)
            outer.append(used)
            self._thread.inside = outer

    def measure(self, owner: Any, name: str, step: str) -> None:
        """Measure a function, or the items of a generator."""
        function: Callable[..., Any] = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self.timed(step):
                returned = function(*arguments, **named)
            return items(returned) if isinstance(returned, Iterator) else returned

        def items(iterator: Iterator[Any]) -> Iterator[Any]:
            while True:
                with self.timed(step):
                    item = next(iterator, None)
                if item is None:
                    return
                yield item

        setattr(owner, name, call)


def _peak_memory() -> float:
    """Return the process's peak memory in MiB.

    getrusage is not used, because its value in a forked process starts at the parent's.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _time_results() -> list[float]:
    """Return a list to which writing the results appends its seconds."""
    seconds = list[float]()
    write_results: Callable[..., bool] = getattr(batch, "write_results")  # noqa: B009

    def call(*arguments: Any, **named: Any) -> bool:
        began = time.perf_counter()
        try:
            return write_results(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - began)

    setattr(batch, "write_results", call)  # noqa: B010
    return seconds


def main(key: str) -> None:
    steps = Steps()
    steps.measure(batch, "_blocks", "read the file from S3")
    steps.measure(batch, "chunks", "parse the CSV")
    steps.measure(chunks, "compute_chunk", "compute")
    steps.measure(blocks, "parse_cells", "parse the arguments")
    steps.measure(chunk_billing, "_bill_rows", "bill and format the rows")
    steps.measure(Database, "copy_in", "send the records")
    steps.measure(Database, "run", "other statements")
    steps.measure(Database, "begin", "other statements")
    steps.measure(Database, "commit", "other statements")
    steps.measure(Database, "copy_out", "receive the results")
    steps.measure(S3ObjectWriter, "upload_part", "write the results to S3")
    results = _time_results()
    batch.TURN = float("inf")
    body = json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})
    record = {"messageId": "bench", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    cpu, started = time.process_time(), time.perf_counter()
    failed = handler({"Records": [record]}, NoLimit())
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert failed == {"batchItemFailures": []}, failed
    steps.seconds["the rest"] = cpu - sum(steps.seconds.values())
    measurements = {
        "billing": elapsed - sum(results),
        "results": sum(results),  # an export has none
        "rss_mb": _peak_memory(),
        "cpu": cpu,
        "steps": steps.seconds,
    }
    print(json.dumps(measurements))


if __name__ == "__main__":
    main(sys.argv[1])
