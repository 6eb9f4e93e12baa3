"""What the measured figures come to on AWS, by calls a second, and at a billion rows a day.

Only arithmetic, from `benchmarks/results.json`; each note under the table is a formula, with its figures and
the command that measured them. It runs last, so that the page tells no capacity that its own tables don't.
"""

import json
import math
import sys
from collections.abc import Sequence

from benchmarks import money
from benchmarks.report import RESULTS, figure, write
from worker.batch import TURN
from worker.chunks import CHUNK_ROWS

CALLS = (100, 1_000, 10_000)
ROWS_A_DAY = 1_000_000_000
DAY = 86_400
BUSY = 0.6
"""How busy Postgres may be on average; the rest is for peaks and vacuum."""
FILE = 1_000_000
"""Rows of a file."""
MADE_BY = {"calls": "benchmarks.load", "charge": "benchmarks.charge", "batch": "benchmarks.batch"}

# https://aws.amazon.com/rds/instance-types: db.r7g by processors, each with 8 GiB of memory.
CLASSES = {
    2: "large",
    4: "xlarge",
    8: "2xlarge",
    16: "4xlarge",
    32: "8xlarge",
    48: "12xlarge",
    64: "16xlarge",
}

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html
LARGEST_VOLUME = 64 * 1024**4

HEADS = (
    "load",
    "Postgres: processors busy",
    "RDS class",
    "commits/s",
    "log, MB/s",
    "growth, GB a day",
    "functions at once",
    "workers at once",
    "connections",
    "SQS messages/s",
)


class Measured:
    """The medians that the arithmetic starts from; ms, bytes, µs and events a second.

    Raises:
        SystemExit: a benchmark has not run yet; it says which.
    """

    def __init__(self) -> None:
        self._told = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
        self.charge_ms = self._median("calls", "charge: Postgres's processor")
        self.page_ms = self._median("calls", "page: Postgres's processor")
        self.call_ms = (self.charge_ms + self.page_ms) / 2
        self.function_ms = self._median("calls", "both: gateway's processor")
        self.log_bytes = self._median("calls", "charge: write-ahead log")
        self.growth_bytes = self._median("calls", "charge: the database's growth")
        self.waiting_ms = 1000 / self._median("charge", "pgbench, 1,000 accounts, 1 at once")
        self.one_account = self._median("charge", "pgbench, one account, 8 at once")
        self.worker_us = self._median("batch", "the worker's processor time")
        self.row_us = self._median("batch", "Postgres' processor time")
        self.row_log_bytes = self._median("batch", "write-ahead log")
        self.row_bytes = self._median("batch", "a record on disk, its indexes included")
        self.calls_by, self.charge_by, self.batch_by = (
            f"(`{self._told[name]['command']}`)" for name in ("calls", "charge", "batch")
        )

    def _median(self, benchmark: str, what: str) -> float:
        rows = self._told.get(benchmark, {"rows": []})["rows"]
        found = next((row["median"] for row in rows if row["what"] == what), None)
        if found is None:
            sys.exit(f"“{what}” was not measured yet: python -m {MADE_BY[benchmark]}")
        return float(found)


def main() -> None:
    measured = Measured()
    lines = [HEADS, ["---"] * len(HEADS)]
    lines += [_calls(measured, rate) for rate in CALLS]
    lines.append(_batch(measured))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    write("capacity", [], command="python -m benchmarks.capacity", notes=_notes(measured), table=table)


def _calls(measured: Measured, rate: int) -> Sequence[str]:
    charges = rate / 2
    processors = rate * measured.call_ms / 1000
    functions = rate * money.billed(measured.function_ms, measured.waiting_ms) / 1000
    return (
        f"{rate:,} calls/s",
        figure(processors),
        _class(processors),
        figure(charges),
        figure(charges * measured.log_bytes / 1e6),
        figure(charges * measured.growth_bytes * DAY / 1e9),
        figure(functions),
        "",
        f"{math.ceil(functions):,}",
        "",
    )


def _batch(measured: Measured) -> Sequence[str]:
    rate = ROWS_A_DAY / DAY
    processors = rate * measured.row_us / 1e6
    workers = rate * money.billed(measured.worker_us, memory=money.WORKER) / 1e6
    return (
        f"{ROWS_A_DAY:,} rows a day, {rate:,.0f}/s",
        figure(processors),
        _class(processors),
        figure(rate / CHUNK_ROWS),
        figure(rate * measured.row_log_bytes / 1e6),
        figure(ROWS_A_DAY * measured.row_bytes / 1e9),
        "",
        figure(workers),
        f"{math.ceil(workers):,}",
        figure(rate / FILE + workers / TURN),
    )


def _class(processors: float) -> str:
    """The smallest that is busy for no more than its share."""
    fitting = (name for size, name in CLASSES.items() if processors <= BUSY * size)
    name = next(fitting, "")
    return f"db.r7g.{name}" if name else "none"


def _notes(told: Measured) -> Sequence[str]:
    return (
        f"Postgres' processors: half of the calls are charges of {figure(told.charge_ms)} ms, half pages of"
        f" {figure(told.page_ms)} ms {told.calls_by}; a row is {figure(told.row_us)} µs, its results' export"
        f" included {told.batch_by}. The class is the smallest that is {BUSY:.0%} busy at the most.",
        f"Log and growth: {figure(told.log_bytes)} and {figure(told.growth_bytes)} bytes a charge"
        f" {told.calls_by}, {figure(told.row_log_bytes)} and {figure(told.row_bytes)} bytes a row"
        f" {told.batch_by}; a page writes nothing. A charge commits once, the batch once for"
        f" {CHUNK_ROWS:,} rows.",
        f"Functions at once: calls a second by the seconds of a call, which are {figure(told.function_ms)} ms"
        f" of a processor {told.calls_by}, of which {money.FUNCTION} MB have"
        f" {money.processors(money.FUNCTION):.2f}, and {figure(told.waiting_ms)} ms for a statement and its"
        f" commit {told.charge_by}. Workers at once: {figure(told.worker_us)} µs of a processor a row"
        f" {told.batch_by}, of which {money.WORKER:,} MB have {money.processors(money.WORKER):.2f}. Each has"
        " a connection, those that idle between two calls not counted. SQS: a message for each file of"
        f" {FILE:,} rows, and one each {TURN:.0f} s that a worker works.",
        f"**One user** is charged in one row, a commit at a time: {figure(told.one_account)} charges a second"
        f" where 8 call at once {told.charge_by}, however large the server is.",
        f"**One server** ends at {figure(1000 * BUSY * max(CLASSES) / told.call_ms)} of these calls a second,"
        f" when the largest db.r7g is {BUSY:.0%} busy. At a billion rows a day its largest volume, 64 TiB, is"
        f" full in {figure(LARGEST_VOLUME / (ROWS_A_DAY * told.row_bytes))} days.",
    )


if __name__ == "__main__":
    main()
