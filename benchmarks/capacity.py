"""What the measured figures come to on AWS, by calls a second, and at a billion rows a day.

Only arithmetic, from `benchmarks/results.json`; each note under the table is a formula, with its figures and
the command that measured them. It runs last, so that the page tells no capacity that its own tables don't.
"""

import json
from collections.abc import Sequence

from benchmarks.report import RESULTS, figure, write

CALLS = (100, 1_000, 10_000)
ROWS_A_DAY = 1_000_000_000
DAY = 86_400
BUSY = 0.6
"""How busy Postgres may be on average; the rest is for peaks and vacuum."""

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: one processor at 1,769 MB.
FUNCTION, WORKER = 512 / 1769, 1024 / 1769
"""Processors of a function, and of the worker, by their memory in serverless.yml."""

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
)


class Measured:
    """The medians that the arithmetic starts from; ms, bytes, µs and events a second.

    Raises:
        KeyError: a benchmark has not run yet.
    """

    def __init__(self) -> None:
        told = json.loads(RESULTS.read_text("utf-8"))
        medians = {name: {row["what"]: row["median"] for row in part["rows"]} for name, part in told.items()}
        calls, charge, batch = medians["calls"], medians["charge"], medians["batch"]
        self.charge_ms = calls["charge: Postgres's processor"]
        self.page_ms = calls["page: Postgres's processor"]
        self.call_ms = (self.charge_ms + self.page_ms) / 2
        self.function_ms = calls["both: gateway's processor"]
        self.log_bytes = calls["charge: write-ahead log"]
        self.growth_bytes = calls["charge: the database's growth"]
        self.alone = charge["pgbench, 1,000 accounts, 1 at once"]
        self.one_account = charge["pgbench, one account, 8 at once"]
        self.row_us = batch["the worker's processor time"]
        self.copied = batch["`\\copy` of its records"]
        self.row_bytes = batch["a record on disk, its indexes included"]
        self.calls_by, self.charge_by, self.batch_by = (
            f"(`{told[name]['command']}`)" for name in ("calls", "charge", "batch")
        )


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
    seconds = (measured.function_ms / FUNCTION + 1000 / measured.alone) / 1000
    return (
        f"{rate:,} calls/s",
        figure(processors),
        _class(processors),
        figure(charges),
        figure(charges * measured.log_bytes / 1e6),
        figure(charges * measured.growth_bytes * DAY / 1e9),
        figure(rate * seconds),
        "",
    )


def _batch(measured: Measured) -> Sequence[str]:
    rate = ROWS_A_DAY / DAY
    processors = rate / measured.copied
    return (
        f"{ROWS_A_DAY:,} rows a day, {rate:,.0f}/s",
        figure(processors),
        _class(processors),
        "",
        "",
        figure(ROWS_A_DAY * measured.row_bytes / 1e9),
        "",
        figure(rate * measured.row_us / 1e6 / WORKER),
    )


def _class(processors: float) -> str:
    """The smallest that is busy for no more than its share."""
    fitting = (name for size, name in CLASSES.items() if processors <= BUSY * size)
    name = next(fitting, "")
    return f"db.r7g.{name}" if name else "none"


def _notes(told: Measured) -> Sequence[str]:
    return (
        f"Postgres' processors: half of the calls are charges of {figure(told.charge_ms)} ms, half pages of"
        f" {figure(told.page_ms)} ms {told.calls_by}; a row is 1 / {figure(told.copied)} s, what psql's"
        f" `\\copy` takes {told.batch_by}. The class is the smallest that is {BUSY:.0%} busy at the most.",
        f"Log and growth: {figure(told.log_bytes)} and {figure(told.growth_bytes)} bytes a charge"
        f" {told.calls_by}, {figure(told.row_bytes)} bytes a row {told.batch_by}; a page writes nothing.",
        f"Functions at once, each with a connection: calls a second by the seconds of a call, which are"
        f" {figure(told.function_ms)} ms of a processor {told.calls_by}, of which 512 MB have {FUNCTION:.2f},"
        f" and {figure(1000 / told.alone)} ms for a statement and its commit {told.charge_by}. Workers at"
        f" once: {figure(told.row_us)} µs of a processor a row {told.batch_by}, of which 1,024 MB have"
        f" {WORKER:.2f}.",
        f"**One user** is charged in one row, a commit at a time: {figure(told.one_account)} charges a second"
        f" at the most {told.charge_by}, however large the server is.",
        f"**One server** ends at {figure(1000 * BUSY * max(CLASSES) / told.call_ms)} of these calls a second,"
        f" when the largest class is {BUSY:.0%} busy. At a billion rows a day its largest volume, 64 TiB, is"
        f" full in {figure(LARGEST_VOLUME / (ROWS_A_DAY * told.row_bytes))} days.",
    )


if __name__ == "__main__":
    main()
