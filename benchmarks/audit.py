"""Time the nightly audit and a full audit of millions of ledger entries: `python -m benchmarks.audit`.

Prints the times. The entries are charges of many users in turn, each user once in a quarter of an hour.
"""

import time
from argparse import ArgumentParser
from collections.abc import Callable

import pg8000.native

from benchmarks.embedded_postgres import connect, migrated
from functions.housekeeping import audit as nightly
from shared.billing import audit

OPENING = 1_000_000
"""Credits of each user before the charges of 1."""

USERS = """
INSERT INTO users (id, email, password_hash, role, balance)
SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@bench.example', 'none', 'client', 0
FROM generate_series(1, {users}) n"""

# Entry `k` is entry number `k / users` of its user. The last of all `total` entries is two hours old.
ENTRIES = """
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, date, in_usage)
SELECT uuidv7(), lpad(to_hex(k % {users} + 1), 32, '0')::uuid,
       CASE WHEN number = 0 THEN 'opening' ELSE 'charge' END, CASE WHEN number = 0 THEN {opening} ELSE -1 END,
       CASE WHEN number = 0 THEN 0 ELSE {opening} + 1 - number END, {opening} - number,
       '{{"record_id": "00000000-0000-0000-0000-000000000000"}}',
       now() - interval '2 hours' + (k - {total}) * interval '15 minutes' / {users}, true
FROM (SELECT k, k / {users} AS number FROM generate_series({first}, {last} - 1) k) entry
ORDER BY k"""

USAGE = """
INSERT INTO usage_hours AS h (user_id, hour, type, calls, spent)
SELECT user_id, date_trunc('hour', date, 'UTC'), 'addition', count(*), -sum(amount)
FROM ledger WHERE kind = 'charge' AND seq > {after}
GROUP BY 1, 2
ON CONFLICT (user_id, hour, type) DO UPDATE
SET calls = h.calls + excluded.calls, spent = h.spent + excluded.spent"""

BALANCES = """
UPDATE users u
SET balance = (SELECT balance_after FROM ledger l WHERE l.user_id = u.id ORDER BY seq DESC LIMIT 1)
WHERE email LIKE '%@bench.example'"""


def fill(connection: pg8000.native.Connection, users: int, first: int, last: int, total: int) -> None:
    """Insert the entries from `first` to before `last`, and their usage and balances."""
    ((after,),) = connection.run("SELECT coalesce(max(seq), 0) FROM ledger")
    connection.run(ENTRIES.format(users=users, first=first, last=last, total=total, opening=OPENING))
    connection.run(USAGE.format(after=after))
    connection.run(BALANCES)


def measure(name: str, run: Callable[[], object], expected: object) -> None:
    """Print the time of a run."""
    began = time.perf_counter()
    result = run()
    print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
    assert result == expected, result


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=5_000_000)
    parser.add_argument("--new", type=int, default=100_000)
    options = parser.parse_args()
    users, entries, new = options.users, options.entries, options.new
    total = entries + 2 * new
    with migrated() as postgres:
        connection = connect(postgres.url)
        for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
            connection.run(statement)
        # Make the set-up's entries the oldest.
        connection.run("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")
        connection.run("UPDATE ledger SET date = '2000-01-01'")
        connection.run(USERS.format(users=users))
        fill(connection, users, 0, entries, total)
        connection.run("VACUUM ANALYZE")
        passed = {"status": audit.PASSED}
        measure(f"first nightly audit, {entries:,} entries", lambda: nightly.handler({}, None), passed)
        for count in (0, new, new):
            fill(connection, users, entries, entries + count, total)
            entries += count
            measure(f"nightly audit, {count:,} new entries", lambda: nightly.handler({}, None), passed)
        measure(f"full audit, {entries:,} entries", audit.findings, [])


if __name__ == "__main__":
    main()
