"""Compare the worker on a CSV file with psql's \\copy of the records that it wrote: `make bench-batch`.

With `--before COMMIT`, the worker of an earlier commit processes the same file in each round. Every run uses
the embedded Postgres with its default durability, one after the other.
"""

import random
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from benchmarks import money
from benchmarks.batch_versions import Run, Version, earlier, stack_without_worker
from benchmarks.busy import Busy, Watch
from benchmarks.embedded_postgres import program
from benchmarks.instructions import INSTALLED, count, counted
from benchmarks.report import Row, figure, write

COPY = r"`\copy` of its records"
ROWS = ('addition,"[1, 2.5]"', 'division,"[1, 3]"', "square_root,[2]", "random_string,[]",
        'multiplication,"[3, 4]"', 'substraction,"[10, 2, 3]"')  # fmt: skip
BAD_ROWS = ('division,"[1, 0]"', "cube_root,[8]", "addition,[1]")
BAD_SHARE = 0.01
"""Share of bad rows in the file."""
COUNTED_ROWS = (16_384, 49_152)
"""Rows of the two files whose instructions valgrind counts. The difference excludes the process's start."""
CREATE_COPY_TABLE = "CREATE TABLE records_copied (LIKE records INCLUDING ALL)"
PROCESSOR = "µs a row"


@dataclass(frozen=True)
class Copy:
    """The rows of a file through \\copy: its seconds, and what the machine used."""

    seconds: float
    busy: Busy


@dataclass(frozen=True)
class Round:
    """The same file through the worker, through \\copy, and through the worker of an earlier commit."""

    run: Run
    copy: Copy
    before: Run | None


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", metavar="COMMIT", help="an earlier commit to compare with")
    options = parser.parse_args()
    with (
        stack_without_worker() as (folder, version),
        earlier(options.before, version) if options.before else nullcontext() as before,
    ):
        watch, body, rounds = Watch(version.database), _file(options.rows), list[Round]()
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} …", file=sys.stderr, flush=True)
            run = version.run(body, options.rows * 5, watch)
            copy = _copy(version, run.task_id, folder, watch)
            rounds.append(Round(run, copy, before.run(body, options.rows * 5, watch) if before else None))
        counts = [_instructions(one, watch, folder) for one in (version, before) if one]
        command = f"python -m benchmarks.batch --rows {options.rows} --rounds {options.rounds}"
        if before:
            command += f" --before {options.before}"
        _report(options.rows, rounds, counts, version, command)


def _file(rows: int) -> bytes:
    return ("operation,arguments\n" + "".join(_lines(rows, random.Random(rows)))).encode()


def _lines(rows: int, generator: random.Random) -> Iterator[str]:
    for _ in range(rows):
        yield generator.choice(BAD_ROWS if generator.random() < BAD_SHARE else ROWS) + "\n"


def _copy(version: Version, task_id: UUID, folder: Path, watch: Watch) -> Copy:
    """Let psql \\copy the task's records into a table with the same indexes."""
    file = folder / "records.copy"
    _psql(
        version,
        f"\\copy (SELECT * FROM records WHERE task_id = '{task_id}' ORDER BY task_row) TO '{file}'",
        "DROP TABLE IF EXISTS records_copied",
        CREATE_COPY_TABLE,
        "CHECKPOINT",
    )
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(_psql, version, f"\\copy records_copied FROM '{file}'")
        busy = watch.until(pending.done)
    _psql(version, "DROP TABLE records_copied")
    return Copy(pending.result(), busy)


def _psql(version: Version, *commands: str) -> float:
    """Run commands, and return the seconds that psql took."""
    arguments = [part for command in commands for part in ("-c", command)]
    began = time.perf_counter()
    subprocess.run(
        [*(program("psql"), "-qX", "-v", "ON_ERROR_STOP=1"), version.url, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _instructions(version: Version, watch: Watch, folder: Path) -> float | None:
    """Return the instructions of the worker for a row, or None if valgrind is not installed."""
    if not INSTALLED:
        return None
    log, counts = folder / "instructions", list[int]()
    for rows in COUNTED_ROWS:
        version.run(_file(rows), rows * 5, watch, count(log))
        counts.append(counted(log))
    return (counts[1] - counts[0]) / (COUNTED_ROWS[1] - COUNTED_ROWS[0])


def _report(
    rows: int, rounds: list[Round], counts: list[float | None], version: Version, command: str
) -> None:
    recorded = rows * (1 - BAD_SHARE)
    runs, befores = [r.run for r in rounds], [r.before for r in rounds if r.before]
    ((size,),) = version.database.run("SELECT pg_total_relation_size('records') / count(*) FROM records")
    table = [
        Row("the worker: file to records, errors, ledger", "rows/s",
            [rows / r.worker["billing"] for r in runs], COPY, "≥ 0.85"),
        Row(COPY, "rows/s", [recorded / r.copy.seconds for r in rounds]),
        Row("the worker: results to S3", "rows/s", [rows / r.worker["results"] for r in runs]),
        Row("the worker's processor time", PROCESSOR, _python(runs, rows), aim="≤ 6.5"),
        Row("Postgres' processor time", PROCESSOR, [b + r for b, r in _postgres(runs, rows)]),
        Row("Postgres' processor time, billing", PROCESSOR, [b for b, _ in _postgres(runs, rows)]),
        Row(f"Postgres' processor time, {COPY}", PROCESSOR,
            [_seconds(r.copy.busy) / recorded * 1e6 for r in rounds]),
        Row("write-ahead log", "bytes a row", [(r.billing.wal + r.results.wal) / rows for r in runs]),
        Row("the worker's peak memory", "MB", [r.worker["rss_mb"] for r in runs]),
        Row("a record on disk, its indexes included", "bytes", [float(size)]),
    ]  # fmt: skip
    if befores:
        table = [
            Row("before: file to records, errors, ledger", "rows/s",
                [rows / r.worker["billing"] for r in befores]),
            Row("before: the worker's processor time", PROCESSOR, _python(befores, rows)),
            Row("before: Postgres' processor time, billing", PROCESSOR,
                [b for b, _ in _postgres(befores, rows)]),
            Row("the worker, beside before", "rows/s", table[0].samples,
                "before: file to records, errors, ledger", "≥ 1.4"),
            Row("the worker's processor time, beside before", PROCESSOR, table[3].samples,
                "before: the worker's processor time"),
            Row("Postgres' processor time, billing, beside before", PROCESSOR, table[5].samples,
                "before: Postgres' processor time, billing"),
            *table,
        ]  # fmt: skip
    write(
        "batch",
        table,
        command=command,
        notes=[_steps(rows, runs), *_counted(counts), _money(rows, runs)],
        database=version.database,
    )


def _python(runs: list[Run], rows: int) -> list[float]:
    return [run.worker["cpu"] / rows * 1e6 for run in runs]


def _postgres(runs: list[Run], rows: int) -> list[tuple[float, float]]:
    """Return Postgres' microseconds a row of billing and of writing the results."""
    return [(_seconds(r.billing) / rows * 1e6, _seconds(r.results) / rows * 1e6) for r in runs]


def _seconds(busy: Busy) -> float:
    return busy.parts["Postgres"] * busy.seconds


def _steps(rows: int, runs: list[Run]) -> str:
    medians = {
        name: statistics.median(run.worker["steps"][name] for run in runs) / rows * 1e6
        for name in runs[0].worker["steps"]
    }
    steps = ", ".join(f"{name} {figure(us)}" for name, us in medians.items())
    return f"The worker's processor time by step, in µs a row: {steps}."


def _counted(counts: list[float | None]) -> list[str]:
    if None in counts:
        return []
    return [
        "The worker's instructions a row: " + ", before ".join(figure(count or 0) for count in counts) + "."
    ]


def _money(rows: int, runs: list[Run]) -> str:
    """Return the note about the cost, which assumes the longer of two times.

    They are the measured time, and the time that the processor work takes with the worker's share of a
    processor on Lambda.
    """
    elapsed = statistics.median((r.worker["billing"] + r.worker["results"]) / rows for r in runs) * 1000
    computing = money.billed(
        statistics.median(r.worker["cpu"] / rows for r in runs) * 1000, memory=money.WORKER
    )
    billion = money.dollars(1000 * max(elapsed, computing), money.WORKER)
    return (
        f"**In money**: a billion rows cost {billion}. If the processor is the limit, a million rows take"
        f" {computing * 1000:,.0f} s with {money.WORKER:,} MB and {money.processors(money.WORKER):.2f} of a"
        f" processor; here they took {elapsed * 1000:,.0f} s. The cost assumes the longer time."
    )


if __name__ == "__main__":
    main()
