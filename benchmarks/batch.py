"""`make bench-batch`: the worker on a CSV file, beside psql's \\copy of the very rows it wrote.

Both run against the embedded Postgres with its default durability, one after the other in each
round; the medians and their ratio are printed, the worker's peak memory, and where its time goes.
"""

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pg8000.native
from rich.console import Console
from rich.table import Table

from benchmarks.database import program
from localstack.settings import Settings
from localstack.stack import Stack
from shared import aws
from shared.ids import uuid7
from shared.settings import settings
from shared.unit_of_work import UnitOfWork

WORKER = "benchmarks.batch_worker"
ROWS = ('addition,"[1, 2.5]"', 'division,"[1, 3]"', "square_root,[2]", "random_string,[]",
        'multiplication,"[3, 4]"', 'substraction,"[10, 2, 3]"')  # fmt: skip
BAD_ROWS = ('division,"[1, 0]"', "cube_root,[8]", "addition,[1]")
BAD_SHARE = 0.01
SAME_TABLE = "CREATE TABLE records_copied (LIKE records INCLUDING ALL)"


@dataclass(frozen=True)
class Round:
    """One file through the worker, and the same rows through \\copy; in seconds."""

    billing: float
    results: float
    copy: float
    rss_mb: float
    cpu: float
    steps: dict[str, float]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the embedded Postgres may run as another user
        with Stack(Settings(port=0, edge_port=0, data_dir=Path(folder), gateway_workers=1)) as stack:
            stack.kill("batch")  # the worker is run by hand
            os.environ.update(stack.environment)
            rounds = []
            for number in range(asked.rounds):
                print(f"round {number + 1} of {asked.rounds} …", file=sys.stderr, flush=True)
                rounds.append(_round(asked.rows, Path(folder)))
            _report(asked.rows, rounds)


def _round(rows: int, folder: Path) -> Round:
    user_id, task_id = uuid7(), uuid7()
    body = "operation,arguments\n" + "".join(_lines(rows, random.Random(rows)))
    with UnitOfWork() as uow:
        uow.only(
            "create_user",
            id=user_id,
            entry_id=uuid7(),
            email=f"{user_id}@bench.example",
            password_hash="none",
            role="client",
            balance=rows * 5,
        )
        uow.only(
            "create_task",
            id=task_id,
            user_id=user_id,
            filename="bench.csv",
            status="queued",
            size=len(body),
            capacity=6,
            per_second=1,
        )
    aws.store(aws.upload_key(user_id, task_id), body.encode())
    _psql("VACUUM ANALYZE", "CHECKPOINT")
    told = subprocess.run(
        [sys.executable, "-m", WORKER, aws.upload_key(user_id, task_id)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    run = json.loads(told.stdout.splitlines()[-1])
    return Round(
        run["billing"], run["results"], _copy(task_id, folder), run["rss_mb"], run["cpu"], run["steps"]
    )


def _lines(rows: int, chance: random.Random) -> Iterator[str]:
    for _ in range(rows):
        yield chance.choice(BAD_ROWS if chance.random() < BAD_SHARE else ROWS) + "\n"


def _copy(task_id: object, folder: Path) -> float:
    """Seconds that psql takes to \\copy the task's records into a table of the same shape and indexes."""
    file = folder / "records.copy"
    _psql(f"\\copy (SELECT * FROM records WHERE task_id = '{task_id}' ORDER BY task_row) TO '{file}'")
    _psql("DROP TABLE IF EXISTS records_copied", SAME_TABLE, "CHECKPOINT")
    started = time.perf_counter()
    _psql(f"\\copy records_copied FROM '{file}'")
    taken = time.perf_counter() - started
    _psql("DROP TABLE records_copied")
    return taken


def _psql(*commands: str) -> None:
    # psql knows no URL with a driver's name, and takes the socket's folder as a host.
    arguments = [part for command in commands for part in ("-c", command)]
    subprocess.run(
        [
            *(program("psql"), "-qX", "-v", "ON_ERROR_STOP=1"),
            settings().aws_pgsql_path.get_secret_value(),
            *arguments,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _report(rows: int, rounds: list[Round]) -> None:
    billing = statistics.median(r.billing for r in rounds)
    copy = statistics.median(r.copy for r in rounds)
    recorded = rows * (1 - BAD_SHARE)
    table = Table(title=f"{rows:,} rows, {len(rounds)} rounds, medians")
    for heading in ("what", "seconds", "rows/s", "spread"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, seconds, done, all_of_them in (
        ("worker: file to records, errors, ledger", billing, rows, [r.billing for r in rounds]),
        (r"\copy of its records", copy, recorded, [r.copy for r in rounds]),
        (
            "worker: results to S3",
            statistics.median(r.results for r in rounds),
            rows,
            [r.results for r in rounds],
        ),
    ):
        spread = f"{min(all_of_them):.1f} to {max(all_of_them):.1f}"
        table.add_row(name, f"{seconds:.2f}", f"{done / seconds:,.0f}", spread)
    console = Console(width=110)
    console.print(table)
    ratio = statistics.median((rows / r.billing) / (recorded / r.copy) for r in rounds)
    console.print(
        f"ratio of rates, worker to \\copy: {ratio:.2f}; peak RSS {max(r.rss_mb for r in rounds):.0f} MB;"
        f" the worker's processor time: {statistics.median(r.cpu for r in rounds) / rows * 1e6:.1f} µs a row"
    )
    steps = {name: statistics.median(r.steps[name] for r in rounds) for name in rounds[0].steps}
    console.print(
        "where its time goes, s: " + ", ".join(f"{name} {taken:.2f}" for name, taken in steps.items())
    )
    with pg8000.native.Connection(
        "postgres",
        unix_sock=f"{settings().aws_pgsql_path.get_secret_value().partition('host=')[2]}/.s.PGSQL.5432",
    ) as connection:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
        values = [f"{name} {connection.run(f'SHOW {name}')[0][0]}" for name in names]
    console.print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Postgres: {', '.join(values)}"
    )


if __name__ == "__main__":
    main()
