"""Upgrade a database of version 1.1 with millions of records: `python -m benchmarks.upgrade`.

Prints the times of the migration and of the backfill, and how long charges of version 1.1 waited meanwhile.
"""

import os
import shutil
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pg8000.native

import migrations.handler
from benchmarks.embedded_postgres import connect
from localstack.postgres import Postgres
from shared.billing import usage_backfill
from shared.database import dispose_connections

SETTINGS = {"CONFIG_TYPE": "testing", "JWT_SECRET_KEY": "the secret of the benchmarks, 32 bytes or more"}

USERS = """
INSERT INTO users (id, email, password_hash, role, balance)
SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@bench.example', 'none', 'client', 0
FROM generate_series(0, {users} - 1) n"""

OPERATIONS = """
INSERT INTO operations (id, type, cost) SELECT lpad(to_hex(n), 32, '0')::uuid, 'operation ' || n, 1
FROM generate_series(0, 3) n"""

# The calls of a year, each of the next user.
CALLS = """
WITH call AS MATERIALIZED (
    SELECT n, uuidv7() AS id, lpad(to_hex(n % {users}), 32, '0')::uuid AS user_id,
           now() + (n - {calls}) * interval '1 year' / {calls} AS date
    FROM generate_series(0, {calls} - 1) n
), record AS (
    INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date)
    SELECT id, user_id, lpad(to_hex(n % 4), 32, '0')::uuid, '[1, 2]', '3', 1, 0, date FROM call
)
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, date)
SELECT uuidv7(), user_id, 'charge', -1, 1, 0, jsonb_build_object('record_id', id), date
FROM call ORDER BY n"""

# Files of 8,192 rows, which is one chunk.
FILES = """
WITH task AS MATERIALIZED (
    INSERT INTO tasks (id, user_id, filename, status, bytes_total, rows_done, spent, finished_at)
    SELECT uuidv7(), lpad(to_hex(n % {users}), 32, '0')::uuid, 'a.csv', 'completed', 9, 8192, 8192, now()
    FROM generate_series(1, {rows} / 8192) n
    RETURNING id, user_id
), record AS (
    INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance,
                         task_id, task_row)
    SELECT uuidv7(), user_id, lpad(to_hex(n % 4), 32, '0')::uuid, '[1, 2]', '3', 1, 0, task.id, n
    FROM task, generate_series(1, 8192) n
)
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
SELECT uuidv7(), user_id, 'batch', -8192, 8192, 0,
       jsonb_build_object('task_id', id, 'first_row', 1, 'last_row', 8192)
FROM task"""

CHARGE = """
WITH task AS (
    UPDATE tasks SET updated_at = now() WHERE id = (SELECT id FROM tasks LIMIT 1)
), debit AS (
    UPDATE users SET balance = 0 WHERE id = lpad('0', 32, '0')::uuid RETURNING id AS user_id
), record AS (
    INSERT INTO records (id, user_id, operation_id, amount, user_balance)
    SELECT CAST(:record_id AS uuid), user_id, lpad('0', 32, '0')::uuid, 1, 0 FROM debit
)
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
SELECT uuidv7(), user_id, 'charge', -1, 1, 0, jsonb_build_object('record_id', CAST(:record_id AS uuid))
FROM debit"""


@contextmanager
def charges(url: str) -> Iterator[list[float]]:
    """Charge a call and change a task again and again during the block, and append the seconds of each."""
    seconds = [0.0]
    ended = Event()

    def charge() -> None:
        connection = connect(url)
        while not ended.is_set():
            ((record_id,),) = connection.run("SELECT uuidv7()")
            began = time.perf_counter()
            connection.run(CHARGE, record_id=record_id)
            seconds.append(time.perf_counter() - began)
            ended.wait(0.005)
        connection.close()

    thread = Thread(target=charge)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()


def migrate_to_1_1(folder: Path) -> None:
    shutil.copytree(
        migrations.handler.MIGRATIONS, folder, ignore=shutil.ignore_patterns("0009*", "__pycache__")
    )
    newest, migrations.handler.MIGRATIONS = migrations.handler.MIGRATIONS, folder
    migrations.handler._migrate()
    migrations.handler.MIGRATIONS = newest


def measure(connection: pg8000.native.Connection, url: str) -> None:
    with charges(url) as waits:
        began = time.perf_counter()
        migrations.handler._migrate()
        print(f"migration: {time.perf_counter() - began:.2f} s; longest charge {max(waits) * 1000:.0f} ms")
    with charges(url) as waits:
        began = time.perf_counter()
        assert usage_backfill.advance(3600)
        print(f"backfill: {time.perf_counter() - began:.1f} s; longest charge {max(waits) * 1000:.0f} ms")
    sums = "SELECT (SELECT sum(spent) FROM usage_hours), (SELECT -sum(amount) FROM ledger)"
    ((counted, charged),) = connection.run(sums)
    assert counted == charged, (counted, charged)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of files")
    options = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the embedded Postgres may run as another user
        postgres = Postgres(Path(folder) / "postgres")
        postgres.start()
        os.environ.update(SETTINGS, AWS_PGSQL_PATH=postgres.url)
        try:
            migrate_to_1_1(Path(folder) / "migrations")
            connection = connect(postgres.url)
            for statement in (USERS, OPERATIONS, CALLS, FILES):
                connection.run(statement.format(**options))
            connection.run("VACUUM ANALYZE")
            measure(connection, postgres.url)
        finally:
            dispose_connections()
            postgres.stop()


if __name__ == "__main__":
    main()
