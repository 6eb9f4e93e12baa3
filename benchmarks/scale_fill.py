"""Fill a migrated database with an old service's records and ledger entries, whose balances and usage match.

A service with 1,250 calls an hour has run for as long as it takes to make the rows. One user makes a fifth of
the calls. In each hour 50 of 10,000 other users make 20 calls each. A hundred users send files of 10 rows,
one file for each 1,000 calls. So the last month is the same for every number of rows, and only the tables'
age differs.

psql generates the rows in one backend and another one stores them by COPY with FREEZE, which a later VACUUM
need not rewrite. Indexes are built after the rows.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pg8000.native

from benchmarks.embedded_postgres import connect, program

CALLS_AN_HOUR = 1250
OTHERS, OTHERS_AT_ONCE = 10_000, 50
FILE_OWNERS = 100
CALLS_A_FILE, ROWS_A_FILE = 1000, 10
HEAVY = UUID(int=1)
"""The user who makes a fifth of the calls."""
OTHER = [UUID(int=number) for number in range(2, OTHERS + 2)]
FILE_OWNER = [UUID(int=number) for number in range(OTHERS + 2, OTHERS + 2 + FILE_OWNERS)]
USERS = 1 + OTHERS + FILE_OWNERS
COST = 5
"""Credits of each operation after the set-up."""
OPENING, HEAVY_OPENING = 10_000_000, 1_000_000_000
"""Credits of each user before the first call."""
TYPES = ("addition", "substraction", "multiplication", "division", "square_root")
RECENT_KEYS = 90_000
"""Idempotency keys that have not expired: those of the calls of 72 hours."""
STEP_MS = 3_600_000 // CALLS_AN_HOUR
PROGRESS_SECONDS = 5.0

USER = "lpad(to_hex({}), 32, '0')::uuid"
ID = "(lpad(to_hex({start_ms} + {k} * {step}), 12, '0') || '7000{kind}' || lpad(to_hex({n}), 15, '0'))::uuid"
"""A UUID of version 7 whose time is that of call `k`."""

# `n` is the user's number and `j` the number of this user's earlier calls. A set-returning function in the
# select list is not materialized, unlike one in FROM.
CALLS = """
SELECT k, is_heavy, type, {call_id} AS call_id, {entry_id} AS entry_id, date,
       CASE WHEN is_heavy THEN 1 ELSE 2 + hour % {groups} * {at_once} + m % {at_once} END AS n,
       CASE WHEN is_heavy THEN {heavy_opening} - {cost} * (hour * {heavy_calls} + i / 5)
            ELSE {opening} - {cost} * (hour / {groups} * 20 + m / {at_once}) END AS before
FROM (
    SELECT k, hour, i, i % 5 = 0 AS is_heavy, i - i / 5 - 1 AS m,
           1 + CASE WHEN i % 5 = 0 THEN i / 5 % 5 ELSE hour % 5 END AS type,
           '{start}'::timestamptz + k * interval '{step} ms' AS date
    FROM (
        SELECT k, k / {an_hour} AS hour, k % {an_hour} AS i
        FROM (SELECT generate_series(0, {rows}::bigint - 1) AS k) number
    ) hours
) call"""
FILES = """
SELECT t, {file_id} AS task_id, {file_entry} AS entry_id, {first_owner} + t % {owners} AS n,
       {opening} - {cost} * {rows_a_file} * (t / {owners}) AS before,
       '{start}'::timestamptz + t * {calls_a_file} * interval '{step} ms' AS date
FROM generate_series(0, {files}::bigint - 1) t"""
"""A batch is one charge of all its rows."""

RECORD_COLUMNS = (
    "id, user_id, operation_id, arguments, operation_response, amount, user_balance, date, task_id, task_row"
)
RECORDS = """
SELECT call_id, {user}, ('{operations}'::uuid[])[type], '[1, 2]'::jsonb, to_jsonb(k % 1000), {cost}::numeric,
       (before - {cost})::numeric, date, NULL::uuid, NULL::bigint
FROM ({calls}) call
UNION ALL
SELECT {row_id}, {user}, ('{operations}'::uuid[])[1], '[1, 2]'::jsonb, to_jsonb(row), {cost}::numeric,
       (before - {cost} * row)::numeric, date, task_id, row
FROM ({files}) file, generate_series(1, {rows_a_file}::bigint) row"""

LEDGER_COLUMNS = "seq, id, user_id, kind, amount, balance_before, balance_after, reference, date, in_usage"
LEDGER = """
SELECT n, {user}, {user}, 'opening'::text, opening::numeric, 0::numeric, opening::numeric, '{{}}'::jsonb,
       '{start}'::timestamptz, true
FROM (SELECT n, CASE n WHEN 1 THEN {heavy_opening} ELSE {opening} END AS opening
      FROM generate_series(1, {users}::bigint) n) account
UNION ALL
SELECT {users} + 1 + t, entry_id, {user}, 'batch', -{cost} * {rows_a_file}::numeric, before::numeric,
       (before - {cost} * {rows_a_file})::numeric,
       jsonb_build_object('task_id', task_id, 'first_row', 1, 'last_row', {rows_a_file}), date, true
FROM ({files}) file
UNION ALL
SELECT {users} + {files_count} + 1 + k, entry_id, {user}, 'charge', -{cost}::numeric, before::numeric,
       (before - {cost})::numeric, ('{{"record_id": "' || call_id || '"}}')::jsonb, date, true
FROM ({calls}) call"""

INSERT_USERS = """
INSERT INTO users (id, email, password_hash, role, balance, created_at)
SELECT {user}, n || '@bench.example', 'none', 'client', 0, '{start}' FROM generate_series(1, {users}) n"""
# The fill counts as audited: so the next nightly audit verifies only new entries.
AUDITED = (
    """
INSERT INTO audit_points (user_id, seq, balance, hour, hour_spent)
SELECT {user}, newest.seq, balance_after, newest.hour, used.spent
FROM generate_series(1, {users}) n
CROSS JOIN LATERAL (
    SELECT seq, balance_after, date_trunc('hour', date, 'UTC') AS hour FROM ledger
    WHERE user_id = {user} ORDER BY seq DESC LIMIT 1
) newest
CROSS JOIN LATERAL (
    SELECT coalesce(sum(spent), 0) AS spent FROM usage_hours WHERE user_id = {user} AND hour = newest.hour
) used""",
    "UPDATE audit_state SET verified_seq = (SELECT max(seq) FROM ledger)",
    "UPDATE users SET balance = audit_points.balance FROM audit_points WHERE user_id = users.id",
)
OTHER_TABLES = (
    """
INSERT INTO tasks (id, user_id, filename, status, bytes_total, bytes_done, lines_done, rows_done, spent,
                   created_at, started_at, updated_at, finished_at, results_at, errors_deleted)
SELECT task_id, {user}, 'bench.csv', 'completed', 200, 200, {rows_a_file} + 1, {rows_a_file},
       {cost} * {rows_a_file}, date, date, date, date, date, date < now() - interval '90 days'
FROM ({files}) file""",
    """
INSERT INTO task_operations (task_id, type, rows, spent)
SELECT task_id, '{addition}', {rows_a_file}, {cost} * {rows_a_file} FROM ({files}) file""",
    # All calls of another user in an hour have one operation, and those of the first user all five.
    """
INSERT INTO usage_hours (user_id, hour, type, calls, spent)
SELECT {user}, '{start}'::timestamptz + hour * interval '1 hour', ('{types}'::text[])[type], calls,
       calls * {cost}
FROM (
    SELECT hour, 1 AS n, type, {heavy_calls} / 5 AS calls
    FROM (SELECT generate_series(0, {hours} - 1) AS hour) h, generate_series(1, 5) type
    UNION ALL
    SELECT hour, 2 + hour % {groups} * {at_once} + m, 1 + hour % 5, 20
    FROM (SELECT generate_series(0, {hours} - 1) AS hour) h, generate_series(0, {at_once} - 1) m
) used""",
    """
INSERT INTO usage_hours (user_id, hour, type, rows, spent)
SELECT {user}, date_trunc('hour', date, 'UTC'), '{addition}', {rows_a_file} * count(*),
       {cost} * {rows_a_file} * count(*)
FROM ({files}) file GROUP BY 1, 2""",
    """
INSERT INTO sessions (id, user_id, refresh_id, expires_at)
SELECT id, id, id, now() + interval '10 years' FROM users WHERE email LIKE '%@bench.example'""",
    """
INSERT INTO idempotency_keys (user_id, key, fingerprint, response)
SELECT {user}, key, '\\x00', '{{}}'
FROM (SELECT 2 + key % {others} AS n, key FROM generate_series(1, {recent_keys}) key) recent""",
)


def fill(url: str, rows: int, say: Callable[[str], None] = lambda line: None) -> None:
    """Fill the migrated database of a URL with this many calls, each with a record and a ledger entry.

    Raises:
        ValueError: `rows` is not a whole number of hours.
    """
    if rows % CALLS_AN_HOUR or rows < CALLS_AN_HOUR:
        raise ValueError(f"the number of rows must be a multiple of {CALLS_AN_HOUR:,}")
    with connect(url) as connection:
        texts = _texts(connection, rows)
        # No trigger, such as the one that protects the ledger, and no check of foreign keys.
        connection.run("SET session_replication_role = replica")
        connection.run("SET maintenance_work_mem = '1GB'")
        connection.run("UPDATE users SET balance = 0")  # TRUNCATE deletes the entries of the set-up
        connection.run(INSERT_USERS.format_map(texts))
        for table, columns, query in (
            ("records", RECORD_COLUMNS, RECORDS),
            ("ledger", LEDGER_COLUMNS, LEDGER),
        ):
            restore = _drop_indexes(connection, table)
            _copy(url, connection, f"{table} ({columns})", query.format_map(texts), say)
            for statement in restore:
                say(statement[:100])
                connection.run(statement)
        connection.run(
            "SELECT setval(pg_get_serial_sequence('ledger', 'seq'), (SELECT max(seq) FROM ledger))"
        )
        for statement in (*OTHER_TABLES, *AUDITED):
            say(statement.strip()[:50])
            connection.run(statement.format_map(texts))
        say("VACUUM ANALYZE")
        connection.run("VACUUM ANALYZE")


def _texts(connection: pg8000.native.Connection, rows: int) -> dict[str, object]:
    """Return what the statements' braces stand for."""
    hours, files = rows // CALLS_AN_HOUR, rows // CALLS_A_FILE
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    start = end - timedelta(hours=hours)
    known = dict(connection.run("SELECT type, id::text FROM operations"))
    texts: dict[str, object] = {
        "rows": rows, "hours": hours, "files_count": files, "start": start.isoformat(), "step": STEP_MS,
        "an_hour": CALLS_AN_HOUR, "heavy_calls": CALLS_AN_HOUR // 5, "at_once": OTHERS_AT_ONCE,
        "groups": OTHERS // OTHERS_AT_ONCE, "others": OTHERS, "owners": FILE_OWNERS, "users": USERS,
        "first_owner": OTHERS + 2, "opening": OPENING, "heavy_opening": HEAVY_OPENING, "cost": COST,
        "calls_a_file": CALLS_A_FILE, "rows_a_file": ROWS_A_FILE, "recent_keys": RECENT_KEYS,
        "user": USER.format("n"), "addition": TYPES[0], "types": f"{{{','.join(TYPES)}}}",
        "operations": f"{{{','.join(known[name] for name in TYPES)}}}",
    }  # fmt: skip
    start_ms = round(start.timestamp() * 1000)

    def identity(kind: str, k: str, n: str) -> str:
        return ID.format(start_ms=start_ms, step=STEP_MS, kind=kind, k=k, n=n)

    of_file = f"t * {CALLS_A_FILE}"
    texts["call_id"], texts["entry_id"] = identity("8", "k", "k"), identity("9", "k", "k")
    texts["file_id"], texts["file_entry"] = identity("a", of_file, "t"), identity("b", of_file, "t")
    texts["row_id"] = identity("b", of_file, f"t * {ROWS_A_FILE} + row")
    texts["calls"] = CALLS.format_map(texts)
    texts["files"] = FILES.format_map({**texts, "files": files})
    return texts


def _drop_indexes(connection: pg8000.native.Connection, table: str) -> list[str]:
    """Drop a table's indexes, and return the statements that build them again, the largest one first."""
    constraints = connection.run(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = CAST(:name AS regclass) AND contype = 'p'",
        name=table,
    )
    names = [name for name, _ in constraints]
    indexes = connection.run("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :name", name=table)
    restore = []
    for name, definition in sorted(indexes, key=lambda index: -len(index[1].partition(" WHERE ")[0])):
        if name not in names:
            connection.run(f"DROP INDEX {name}")
            restore.append(definition)
    for name, definition in constraints:
        connection.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        restore.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    return restore


def _copy(
    url: str, connection: pg8000.native.Connection, target: str, query: str, say: Callable[[str], None]
) -> None:
    """Replace a table's rows by those of a query, and report the progress."""
    table = target.partition(" ")[0]
    source = subprocess.Popen(
        [*_psql(url), "-c", "SET max_parallel_workers_per_gather = 0",
         "-c", f"COPY ({query}) TO STDOUT (FORMAT binary)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    # FREEZE needs a table that the same transaction has truncated.
    store = subprocess.Popen(
        [*_psql(url), "-c", "SET session_replication_role = replica", "-c", "BEGIN",
         "-c", f"TRUNCATE {table}", "-c", f"COPY {target} FROM STDIN (FORMAT binary, FREEZE)",
         "-c", "COMMIT"],
        stdin=source.stdout,
    )  # fmt: skip
    assert source.stdout is not None
    source.stdout.close()
    began = reported = time.monotonic()
    while (status := _wait(store)) is None:
        if time.monotonic() - reported >= PROGRESS_SECONDS:
            reported = time.monotonic()
            copied = connection.run("SELECT coalesce(max(tuples_processed), 0) FROM pg_stat_progress_copy")
            say(f"{table}: {copied[0][0]:,} rows in {reported - began:,.0f} s")
    if source.wait() or status:
        raise RuntimeError(f"psql could not fill {table}")


def _wait(process: "subprocess.Popen[bytes]") -> int | None:
    """Return the status of a process, or None if it still runs after a second."""
    try:
        return process.wait(1)
    except subprocess.TimeoutExpired:
        return None


def _psql(url: str) -> list[str]:
    return [program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", url]


def folder_bytes(folder: Path) -> int:
    """Return the bytes on disk of a folder's files."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:  # Postgres deletes temporary files meanwhile
            continue
    return total


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
