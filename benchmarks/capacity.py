"""Compute the resources on AWS for different rates of calls, and for a billion rows a day.

The input is `benchmarks/results.json`. Each note under the table explains a formula, with its figures and the
command that measured them. Run this after the other benchmarks, so that the table matches theirs.
"""

import math
from collections.abc import Sequence

from benchmarks import money
from benchmarks.measured import Measured
from benchmarks.report import figure, write
from worker.batch import TURN
from worker.chunks import CHUNK_ROWS

CALL_RATES = (100, 1_000, 10_000)
"""Calls a second."""
ROWS_A_DAY = 1_000_000_000
DAY_SECONDS = 86_400
MAX_UTILIZATION = 0.6
"""Share of Postgres' processors that may be busy on average; the rest is for peaks and vacuum."""
FILE_ROWS = 1_000_000
"""Rows of a file."""

# https://aws.amazon.com/rds/instance-types: sizes of db.r7g by number of vCPUs.
CLASSES = {
    2: "large",
    4: "xlarge",
    8: "2xlarge",
    16: "4xlarge",
    32: "8xlarge",
    48: "12xlarge",
    64: "16xlarge",
}

LARGEST_VOLUME = 64 * 1024**4
"""Bytes (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html)."""

HEADS = (
    "load",
    "Postgres: busy processors",
    "RDS class",
    "commits/s",
    "log, MB/s",
    "growth, GB a day",
    "concurrent functions",
    "concurrent workers",
    "connections",
    "SQS messages/s",
)


def main() -> None:
    measured = Measured()
    lines = [HEADS, ["---"] * len(HEADS)]
    lines += [_calls(measured, rate) for rate in CALL_RATES]
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
        figure(charges * measured.growth_bytes * DAY_SECONDS / 1e9),
        figure(functions),
        "",
        f"{math.ceil(functions):,}",
        "",
    )


def _batch(measured: Measured) -> Sequence[str]:
    rate = ROWS_A_DAY / DAY_SECONDS
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
        figure(rate / FILE_ROWS + workers / TURN),
    )


def _class(processors: float) -> str:
    """Return the smallest class whose utilization is at most MAX_UTILIZATION, or "none"."""
    fitting = (name for size, name in CLASSES.items() if processors <= MAX_UTILIZATION * size)
    name = next(fitting, "")
    return f"db.r7g.{name}" if name else "none"


def _notes(measured: Measured) -> Sequence[str]:
    highest_rate = 1000 * MAX_UTILIZATION * max(CLASSES) / measured.call_ms
    return (
        f"Postgres' processors: half of the calls are charges of {figure(measured.charge_ms)} ms, half are"
        f" pages of {figure(measured.page_ms)} ms {measured.calls_by}; a row takes {figure(measured.row_us)}"
        f" µs, including the export of its result {measured.batch_by}. The class is the smallest that is at"
        f" most {MAX_UTILIZATION:.0%} busy.",
        f"Log and growth: {figure(measured.log_bytes)} and {figure(measured.growth_bytes)} bytes a charge"
        f" {measured.calls_by}, {figure(measured.row_log_bytes)} and {figure(measured.row_bytes)} bytes a row"
        f" {measured.batch_by}; a page writes nothing. Each charge is one commit; the batch commits once for"
        f" {CHUNK_ROWS:,} rows.",
        "Concurrent functions: calls a second times seconds of a call. A call takes"
        f" {figure(measured.function_ms)} ms of a whole processor {measured.calls_by}, and {money.FUNCTION}"
        f" MB come with {money.processors(money.FUNCTION):.2f} of one; it waits {figure(measured.waiting_ms)}"
        f" ms for a statement and its commit {measured.charge_by}. Concurrent workers: a row takes"
        f" {figure(measured.worker_us)} µs of a whole processor {measured.batch_by}, and {money.WORKER:,} MB"
        f" come with {money.processors(money.WORKER):.2f} of one. Each function and worker has a connection;"
        f" idle functions are not counted. SQS: one message for each file of {FILE_ROWS:,} rows, and one for"
        f" each {TURN:.0f} s of a worker's time.",
        "**One user**: a balance is one row, so its charges commit one after another:"
        f" {figure(measured.one_account)} charges a second with 8 callers {measured.charge_by}, however large"
        " the server is.",
        f"**One server**: the limit is {figure(highest_rate)} of these calls a second, when the largest"
        f" db.r7g is {MAX_UTILIZATION:.0%} busy. At a billion rows a day the largest volume, 64 TiB, is full"
        f" in {figure(LARGEST_VOLUME / (ROWS_A_DAY * measured.row_bytes))} days.",
    )


if __name__ == "__main__":
    main()
