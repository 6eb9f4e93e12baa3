"""One run of the real worker in a process of its own, timed step by step: prints JSON.

Reading, parsing and computing happen in a thread ahead of the one that speaks to Postgres, so the
steps' times add up to more than the whole takes.
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
    """A Lambda context with all the time there is."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def _peak_memory() -> float:
    """MiB. Not getrusage's: that of a process that was forked begins at its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(key: str) -> None:
    spent: Counter[str] = Counter()

    def timed(owner: Any, name: str, step: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def run(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[step] += time.perf_counter() - started

        setattr(owner, name, run)

    timed(chunks, "compute_all", "compute")
    timed(Database, "copy_in", "bill and copy")
    timed(Database, "commit", "commit")
    timed(batch, "write_results", "results")
    reading = batch._blocks

    def read(*arguments: Any) -> Any:
        blocks = reading(*arguments)
        while True:
            started = time.perf_counter()
            block = next(blocks, None)
            spent["read"] += time.perf_counter() - started
            if block is None:
                return
            yield block

    batch._blocks = read
    batch.TURN = float("inf")
    body = json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})
    began = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    failed = handler({"Records": [{"messageId": "bench", "body": body}]}, NoLimit())
    taken = time.perf_counter() - started
    assert failed == {"batchItemFailures": []}, failed
    used = resource.getrusage(resource.RUSAGE_SELF)
    writing = spent.pop("results")
    told = {
        "billing": taken - writing,
        "results": writing,
        "rss_mb": _peak_memory(),
        "cpu": used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime,
        "steps": dict(spent),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
