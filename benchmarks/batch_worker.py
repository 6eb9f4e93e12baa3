"""Run the real worker once in its own process, measure each step, and print the measurements as JSON.

A second thread reads, parses and computes ahead of the thread that runs statements, so the steps' times add
up to more than the total.
"""

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.database.connection import Database
from worker import batch, chunks
from worker.handler import handler


class NoLimit:
    """A Lambda context whose remaining time never decreases."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def _peak_memory() -> float:
    """Return the process's peak memory in MiB.

    getrusage is not used, because its value in a forked process starts at the parent's.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(key: str) -> None:
    seconds: Counter[str] = Counter()

    def timed(owner: Any, name: str, step: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def run(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                seconds[step] += time.perf_counter() - started

        setattr(owner, name, run)

    timed(chunks, "compute_all", "compute")
    timed(Database, "copy_in", "bill and copy")
    timed(Database, "commit", "commit")
    timed(batch, "write_results", "results")
    original = batch._blocks

    def read(*arguments: Any) -> Any:
        blocks = original(*arguments)
        while True:
            started = time.perf_counter()
            block = next(blocks, None)
            seconds["read"] += time.perf_counter() - started
            if block is None:
                return
            yield block

    batch._blocks = read
    batch.TURN = float("inf")
    body = json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})
    record = {"messageId": "bench", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    began = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    failed = handler({"Records": [record]}, NoLimit())
    elapsed = time.perf_counter() - started
    assert failed == {"batchItemFailures": []}, failed
    used = resource.getrusage(resource.RUSAGE_SELF)
    writing = seconds.pop("results", 0.0)  # an export has none
    measurements = {
        "billing": elapsed - writing,
        "results": writing,
        "rss_mb": _peak_memory(),
        "cpu": used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime,
        "steps": dict(seconds),
    }
    print(json.dumps(measurements))


if __name__ == "__main__":
    main(sys.argv[1])
