"""What a charge costs without a prepared statement, as behind RDS Proxy: time, and Postgres' processor time.

Both ways use the same server without a proxy, so the figures leave out the proxy's own delay.
"""

import os
from argparse import ArgumentParser
from contextlib import redirect_stdout
from decimal import Decimal
from time import perf_counter
from uuid import UUID

import psutil

from benchmarks.charge import PEOPLE
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.report import Row, write
from shared.auth.caller import Credentials
from shared.billing import charges
from shared.database.connection import Database

WAYS = {"prepared": "", "not prepared": "&proxy=true"}
CHARGES = 500
"""In each round: the kernel counts processor time in steps of 10 ms."""
CALL = charges.Call(Credentials(session_id=UUID(int=1)), "addition", "[1.5, 2]", None)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    samples: dict[str, list[float]] = {}
    with migrated() as postgres, connect(postgres.url) as connection:
        connection.run(PEOPLE.format(count=1))
        databases = {way: Database(f"{postgres.url}{suffix}") for way, suffix in WAYS.items()}
        for _ in range(rounds + 1):  # the first one connects and warms up
            for way, database in databases.items():
                elapsed, computing = charge(database)
                samples.setdefault(f"a charge, {way}", []).append(elapsed)
                samples.setdefault(f"Postgres' processor, {way}", []).append(computing)
        rows = [Row(what, "ms", taken[1:], limit(what)) for what, taken in sorted(samples.items())]
        write(
            "unprepared",
            rows,
            command=f"python -m benchmarks.unprepared --rounds {rounds}",
            database=connection,
        )
        for database in databases.values():
            database.dispose()


def limit(what: str) -> str:
    subject, _, way = what.partition(", ")
    return f"{subject}, prepared" if way == "not prepared" else ""


def charge(database: Database) -> tuple[float, float]:
    """Return the milliseconds of a charge, and those of its backend's processor."""
    ((row),) = database.query("SELECT pg_backend_pid() AS pid", {})
    backend = psutil.Process(row["pid"])
    before, started = backend.cpu_times(), perf_counter()
    with open(os.devnull, "w") as log, redirect_stdout(log):  # a line of metrics for each charge
        for _ in range(CHARGES):
            charges.charge(CALL, Decimal("3.5"))
    elapsed, after = perf_counter() - started, backend.cpu_times()
    computing = after.user + after.system - before.user - before.system
    return elapsed * 1000 / CHARGES, computing * 1000 / CHARGES


if __name__ == "__main__":
    main()
