"""Compare the worker on a CSV file with psql's \\copy of the records that it wrote: `make bench-batch`.

Both run against the embedded Postgres with its default durability, one after the other in each round. The
report also has the worker's peak memory and the time of each of its steps.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pg8000.native

from benchmarks import money
from benchmarks.busy import Busy, Watch
from benchmarks.embedded_postgres import connect, program
from benchmarks.report import Row, write
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared import aws, database
from shared.ids import uuid7
from shared.settings import settings

WORKER = "benchmarks.batch_worker"
COPY = r"`\copy` of its records"
ROWS = ('addition,"[1, 2.5]"', 'division,"[1, 3]"', "square_root,[2]", "random_string,[]",
        'multiplication,"[3, 4]"', 'substraction,"[10, 2, 3]"')  # fmt: skip
BAD_ROWS = ('division,"[1, 0]"', "cube_root,[8]", "addition,[1]")
BAD_SHARE = 0.01
"""Share of bad rows in the file."""
CREATE_COPY_TABLE = "CREATE TABLE records_copied (LIKE records INCLUDING ALL)"


@dataclass(frozen=True)
class Round:
    """The measurements of one file through the worker, and of the same rows through \\copy.

    `billing`, `results`, `copy`, `cpu` and `steps` are in seconds.
    """

    billing: float
    results: float
    copy: float
    rss_mb: float
    cpu: float
    postgres: Busy
    steps: dict[str, float]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stack_without_worker() as (folder, database):
        watch, rounds = Watch(database), []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} …", file=sys.stderr, flush=True)
            rounds.append(_round(options.rows, folder, watch))
        _report(options.rows, rounds, database)


@contextmanager
def stack_without_worker() -> Iterator[tuple[Path, pg8000.native.Connection]]:
    """Start a stack whose worker the benchmark runs itself, and set the settings of this process to it.

    Yields:
        The stack's folder, and a connection to its database.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded Postgres may run as another user
        with Stack(Settings(port=0, edge_port=0, data_dir=folder, gateway_workers=1)) as stack:
            stack.kill("batch")
            os.environ.update(stack.environment)
            with connect(settings().aws_pgsql_path.get_secret_value()) as database:
                yield folder, database


def run_worker(key: str, watch: Watch) -> tuple[dict[str, Any], Busy]:
    """Run the worker in its own process for the message about a key, and return both measurements."""
    with subprocess.Popen([sys.executable, "-m", WORKER, key], stdout=subprocess.PIPE, text=True) as worker:
        busy = watch.until(lambda: worker.poll() is not None)
        output = worker.communicate()[0]
    assert worker.returncode == 0
    run: dict[str, Any] = json.loads(output.splitlines()[-1])
    return run, busy


def _round(rows: int, folder: Path, watch: Watch) -> Round:
    user_id, task_id = uuid7(), uuid7()
    body = "operation,arguments\n" + "".join(_lines(rows, random.Random(rows)))
    database.only(
        "create_user",
        id=user_id,
        entry_id=uuid7(),
        email=f"{user_id}@bench.example",
        password_hash="none",
        role="client",
        balance=rows * 5,
        status="active",
        admin_id=None,
        audit_id=uuid7(),
    )
    database.only(
        "create_task",
        id=task_id,
        user_id=user_id,
        filename="bench.csv",
        upload="{}",
        status="queued",
        size=len(body),
        capacity=6,
        per_second=1,
        api_key_id=None,
        dry_run=False,
        max_spend=None,
    )
    aws.store(aws.upload_key(user_id, task_id), body.encode())
    _psql("VACUUM ANALYZE", "CHECKPOINT")
    run, busy = run_worker(aws.upload_key(user_id, task_id), watch)
    copy = _copy(task_id, folder)
    return Round(run["billing"], run["results"], copy, run["rss_mb"], run["cpu"], busy, run["steps"])


def _lines(rows: int, generator: random.Random) -> Iterator[str]:
    for _ in range(rows):
        yield generator.choice(BAD_ROWS if generator.random() < BAD_SHARE else ROWS) + "\n"


def _copy(task_id: object, folder: Path) -> float:
    """Return the seconds that psql takes to \\copy the task's records into a table with the same indexes."""
    file = folder / "records.copy"
    _psql(f"\\copy (SELECT * FROM records WHERE task_id = '{task_id}' ORDER BY task_row) TO '{file}'")
    _psql("DROP TABLE IF EXISTS records_copied", CREATE_COPY_TABLE, "CHECKPOINT")
    started = time.perf_counter()
    _psql(f"\\copy records_copied FROM '{file}'")
    elapsed = time.perf_counter() - started
    _psql("DROP TABLE records_copied")
    return elapsed


def _psql(*commands: str) -> None:
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


def _report(rows: int, rounds: list[Round], database: pg8000.native.Connection) -> None:
    recorded = rows * (1 - BAD_SHARE)
    steps = {name: statistics.median(r.steps[name] for r in rounds) for name in rounds[0].steps}
    ((size,),) = database.run("SELECT pg_total_relation_size('records') / count(*) FROM records")
    write(
        "batch",
        [
            Row("the worker: file to records, errors, ledger", "rows/s",
                [rows / r.billing for r in rounds], COPY, "≥ 0.75"),
            Row(COPY, "rows/s", [recorded / r.copy for r in rounds]),
            Row("the worker: results to S3", "rows/s", [rows / r.results for r in rounds]),
            Row("the worker's processor time", "µs a row", [r.cpu / rows * 1e6 for r in rounds]),
            Row("Postgres' processor time", "µs a row",
                [r.postgres.parts["Postgres"] * r.postgres.seconds / rows * 1e6 for r in rounds]),
            Row("write-ahead log", "bytes a row", [r.postgres.wal / rows for r in rounds]),
            Row("the worker's peak memory", "MB", [r.rss_mb for r in rounds]),
            Row("a record on disk, its indexes included", "bytes", [float(size)]),
        ],
        command=f"python -m benchmarks.batch --rows {rows} --rounds {len(rounds)}",
        notes=["Where the worker's time goes, in seconds (two threads): "
               + ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items()) + ".",
               _money(rows, rounds)],
        database=database,
    )  # fmt: skip


def _money(rows: int, rounds: list[Round]) -> str:
    """Return the note about the cost, which assumes the longer of two times.

    They are the measured time, and the time that the processor work takes with the worker's share of a
    processor on Lambda.
    """
    elapsed = statistics.median((r.billing + r.results) / rows for r in rounds) * 1000
    computing = money.billed(statistics.median(r.cpu / rows for r in rounds) * 1000, memory=money.WORKER)
    billion = money.dollars(1000 * max(elapsed, computing), money.WORKER)
    return (
        f"**In money**: a billion rows cost {billion}. If the processor is the limit, a million rows take"
        f" {computing * 1000:,.0f} s with {money.WORKER:,} MB and {money.processors(money.WORKER):.2f} of a"
        f" processor; here they took {elapsed * 1000:,.0f} s. The cost assumes the longer time."
    )


if __name__ == "__main__":
    main()
