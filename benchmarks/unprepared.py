"""Compare the time and Postgres' processor time of a charge with and without a prepared statement.

Behind RDS Proxy statements are not prepared. Both variants use the same server without a proxy, so the
figures do not include the proxy's own delay.
"""

import os
from argparse import ArgumentParser
from contextlib import redirect_stdout
from decimal import Decimal
from time import perf_counter
from uuid import UUID

import psutil

from benchmarks.charge import INSERT_USERS
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.report import Row, write
from shared import database
from shared.auth.caller import Credentials
from shared.billing import charges
from shared.settings import settings

VARIANTS = {"prepared": "", "not prepared": "&proxy=true"}
"""The suffix of the database's URL for each variant. `proxy=true` disables prepared statements."""
CHARGES = 500
"""Charges in each round: many, because the kernel counts processor time in steps of 10 ms."""
CALL = charges.Call(Credentials(session_id=UUID(int=1)), "addition", "[1.5, 2]", None)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    samples: dict[str, list[float]] = {}
    with migrated() as postgres, connect(postgres.url) as connection:
        connection.run(INSERT_USERS.format(count=1))
        for _ in range(rounds + 1):  # the first round warms up
            for variant, suffix in VARIANTS.items():
                elapsed, computing = charge(f"{postgres.url}{suffix}")
                samples.setdefault(f"a charge, {variant}", []).append(elapsed)
                samples.setdefault(f"Postgres' processor, {variant}", []).append(computing)
        rows = [Row(what, "ms", values[1:], baseline(what)) for what, values in sorted(samples.items())]
        write(
            "unprepared",
            rows,
            command=f"python -m benchmarks.unprepared --rounds {rounds}",
            database=connection,
        )


def baseline(what: str) -> str:
    subject, _, variant = what.partition(", ")
    return f"{subject}, prepared" if variant == "not prepared" else ""


def charge(url: str) -> tuple[float, float]:
    """Return the milliseconds of a charge through a new connection, and those of its backend's processor."""
    database.dispose_connections()
    os.environ["AWS_PGSQL_PATH"] = url
    settings.cache_clear()
    (row,) = database.query("SELECT pg_backend_pid() AS pid", {})
    backend = psutil.Process(row["pid"])
    with open(os.devnull, "w") as log, redirect_stdout(log):  # each charge logs a line of metrics
        charges.charge(CALL, Decimal("3.5"))  # prepares the statement
        before, started = backend.cpu_times(), perf_counter()
        for _ in range(CHARGES):
            charges.charge(CALL, Decimal("3.5"))
    elapsed, after = perf_counter() - started, backend.cpu_times()
    computing = after.user + after.system - before.user - before.system
    return elapsed * 1000 / CHARGES, computing * 1000 / CHARGES


if __name__ == "__main__":
    main()
