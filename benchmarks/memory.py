"""Compute the duration and cost of a call on Lambda for different memory sizes.

More memory comes with a larger share of a processor. The benchmark measures the processor time of a call's
handler and the time that it waits for Postgres; `benchmarks/money.py` converts both. Linux only.
"""

import os
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from uuid import UUID

from benchmarks import money
from benchmarks.charge import INSERT_USERS
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.event import get, post
from benchmarks.report import Row, figure, write
from shared.auth import tokens

SIZES = (512, 1024, 1769)
"""MB. 1,769 MB come with one processor; one thread can't use more."""
WARM_UP = 10


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    with migrated() as postgres, connect(postgres.url) as database:
        database.run(INSERT_USERS.format(count=1))
        rows, lines = list[Row](), ["| call | processor | waiting | " + " | ".join(header()) + " |"]
        lines.append("| --- " * (3 + len(SIZES)) + "|")
        for name, call in calls().items():
            with open(os.devnull, "w") as log, redirect_stdout(log):
                computing, waiting = measure(call, rounds)
            rows += [Row(f"{name}: processor", "ms", computing), Row(f"{name}: waiting", "ms", waiting)]
            lines.append(line(name, median(computing), median(waiting)))
        command = f"python -m benchmarks.memory --rounds {rounds}"
        write("memory", rows, command=command, database=database, table="\n".join(lines))


def header() -> list[str]:
    return [f"{size:,} MB" for size in SIZES]


def line(name: str, computing: float, waiting: float) -> str:
    """Return a row of the table: for each size the billed time, and the dollars of a million calls."""
    cells = [name, f"{figure(computing)} ms", f"{figure(waiting)} ms"]
    for size in SIZES:
        billed = money.billed(computing, waiting, size)
        cells.append(f"{figure(billed)} ms, {money.dollars(billed, size)}")
    return f"| {' | '.join(cells)} |"


def measure(call: Callable[[], int], rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of processor time, and of waiting, of each call."""
    computing, waiting = list[float](), list[float]()
    for _ in range(WARM_UP + rounds):
        started, before, queued = perf_counter(), process_time(), run_queue_seconds()
        status = call()
        processor, elapsed = process_time() - before, perf_counter() - started
        assert status < 300, status
        computing.append(processor * 1000)
        waiting.append(max(elapsed - processor - (run_queue_seconds() - queued), 0) * 1000)
    return computing[WARM_UP:], waiting[WARM_UP:]


def run_queue_seconds() -> float:
    """Return the seconds for which this thread waited while other processes used the processor."""
    return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9


def calls() -> dict[str, Callable[[], int]]:
    from functions.auth.login import app as login
    from functions.calculator.process_operation import app as charge
    from functions.records.list import app as records

    person = UUID(int=1)
    token = tokens.issue(person, person, "client").access
    signed_in = {"authorization": f"Bearer {token}"}
    account = {"email": "defaultclient@client.as", "password": "Test1234!"}
    operation = {"type": "addition", "arguments": [1.5, 2]}
    events = {
        "POST /login": (login, post("/login", account)),
        "POST /api/v1/process_operation": (
            charge,
            post("/api/v1/process_operation", operation, headers=signed_in),
        ),
        "GET /api/v1/records": (records, get("/api/v1/records", token)),
    }

    def calling(app: Callable[..., dict[str, int]], event: dict[str, dict[str, str]]) -> Callable[[], int]:
        return lambda: app({**event, "headers": dict(event["headers"])}, None)["statusCode"]

    return {name: calling(app, event) for name, (app, event) in events.items()}


if __name__ == "__main__":
    main()
