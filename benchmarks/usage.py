"""Time reads of the usage behind 100 million records: `python -m benchmarks.usage`.

Prints medians. All users call all operations in every hour of the last 30 days. One user, the oldest, has
done so for ten years.
"""

import random
import statistics
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pg8000.native

from benchmarks.embedded_postgres import connect, migrated
from shared.auth.caller import Caller
from shared.billing import usage
from shared.errors import InvalidInput
from shared.schemas.field_types import UsagePeriod

OLDEST = UUID(int=1)
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONTH = timedelta(days=30)
TEN_YEARS = timedelta(days=3650)
LONGEST: dict[UsagePeriod, timedelta] = {"hour": timedelta(hours=1000), "day": 1000 * DAY, "month": TEN_YEARS}
"""The longest ranges that a user may read, or that the oldest user has."""

USERS = """
INSERT INTO users (id, email, password_hash, role, balance)
SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@bench.example', 'none', 'client', 0
FROM generate_series(1, {users}) n"""

# Hour after hour, as the service writes them.
USAGE = """
INSERT INTO usage_hours (user_id, hour, type, calls, spent)
SELECT lpad(to_hex(n), 32, '0')::uuid, hour, type, CASE n % 3 WHEN 0 THEN 3 ELSE 2 END, 10
FROM generate_series('{start}'::timestamptz, '{last}', interval '1 hour') hour,
     generate_series(1, {users}) n, (SELECT type FROM operations) operation"""

# The set-up adds the constraints and the indexes last, which is faster.
BEFORE_FILLING = (
    "ALTER SYSTEM SET fsync = off",
    "SELECT pg_reload_conf()",
    "ALTER TABLE usage_hours DROP CONSTRAINT usage_hours_pkey, DROP CONSTRAINT usage_hours_user_id_fkey",
    "DROP INDEX usage_hours_utc_idx",
)
AFTER_FILLING = (
    "SET maintenance_work_mem = '1GB'",
    "ALTER TABLE usage_hours ADD CONSTRAINT usage_hours_pkey PRIMARY KEY (user_id, hour, type)",
    "CREATE INDEX usage_hours_utc_idx ON usage_hours ((hour AT TIME ZONE 'UTC'))",
    "VACUUM ANALYZE",
)


def fill(connection: pg8000.native.Connection, users: int) -> None:
    """Insert the users and their usage, and print what it takes."""
    connection.run(USERS.format(users=users))
    for statement in BEFORE_FILLING:
        connection.run(statement)
    connection.run(USAGE.format(users=1, start=END - TEN_YEARS, last=END - MONTH - HOUR))
    connection.run(USAGE.format(users=users, start=END - MONTH, last=END - HOUR))
    for statement in AFTER_FILLING:
        connection.run(statement)
    ((rows, records, size),) = connection.run(
        "SELECT count(*), sum(calls), pg_size_pretty(pg_total_relation_size('usage_hours')) FROM usage_hours"
    )
    print(f"{records:,} records in {rows:,} rows of usage_hours, {size} with indexes", flush=True)


def measure(what: str, rounds: int, span: timedelta, by: UsagePeriod, users: Sequence[UUID | None]) -> None:
    """Print the median time of reading the usage of a random one of the users. None means all users."""
    samples, outcome = list[float](), ""
    for number in range(-1, rounds):  # the first round warms up
        user_id = random.choice(users)
        caller = Caller(user_id or OLDEST, "client" if user_id else "admin")
        began = time.perf_counter()
        try:
            usage.read(caller, END - span, END, by, None)
        except InvalidInput as error:
            outcome = f", rejected: {error.detail}"
        if number >= 0:
            samples.append((time.perf_counter() - began) * 1000)
    print(f"{what} by {by}: {statistics.median(samples):,.1f} ms{outcome}", flush=True)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    rounds = options.rounds
    with migrated() as postgres:
        with connect(postgres.url) as connection:
            fill(connection, options.users)
        others = [UUID(int=number) for number in range(2, options.users + 1)]
        for by, span in LONGEST.items():
            measure("a user, 30 days", rounds, MONTH, by, others)
            measure(f"the oldest user, {span.days:,} days", rounds, span, by, [OLDEST])
        for span in (HOUR, DAY, MONTH):
            measure(f"all users, {span // HOUR} hours", rounds, span, "day", [None])


if __name__ == "__main__":
    main()
