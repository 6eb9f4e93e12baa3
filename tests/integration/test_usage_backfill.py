"""The upgrade of a database of version 1.1: past charges are counted in batches, each exactly once."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pg8000.native import Connection

import migrations.handler
from deploy.serverless_file import Function
from functions.housekeeping import audit as nightly
from functions.housekeeping import expire
from localstack.context import LambdaContext
from shared import database
from shared.billing import audit, refunds, usage_backfill
from shared.database import UnitOfWork, dispose_connections
from shared.errors import Conflict
from shared.ids import uuid7
from tests.integration.conftest import Server
from tests.integration.test_migrations import HEAD
from tests.support.charging import charge
from tests.support.old_schema import migrate_to, name_of
from tests.support.users import create_person

CHARGES = """
INSERT INTO users (id, email, password_hash, role, balance)
VALUES (id_of(1), 'a@x.yz', '', 'client', 0), (id_of(2), 'b@x.yz', '', 'client', 0);
INSERT INTO operations (id, type, cost)
VALUES (id_of(11), 'addition', 5), (id_of(12), 'division', 0.1);
INSERT INTO api_keys (id, user_id, name, key_hash)
VALUES (id_of(41), id_of(1), 'program', '');
INSERT INTO tasks (id, user_id, filename, status, bytes_total, rows_done, spent)
VALUES (id_of(21), id_of(1), 'a.csv', 'completed', 9, 3, 10.1);
INSERT INTO records (id, user_id, operation_id, arguments, amount, user_balance, task_id, task_row)
VALUES (id_of(31), id_of(1), id_of(11), '[]', 5, 0, NULL, NULL),
       (id_of(32), id_of(2), id_of(11), '[]', 7, 0, NULL, NULL),
       (id_of(33), id_of(1), id_of(11), NULL, 100, 0, NULL, NULL),
       (id_of(34), id_of(1), id_of(11), '[]', 5, 0, id_of(21), 1),
       (id_of(35), id_of(1), id_of(11), '[]', 99, 0, id_of(21), 2),
       (id_of(36), id_of(1), id_of(12), '[]', 0.1, 0, id_of(21), 3);
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, date)
SELECT gen_random_uuid(), id_of(1), kind, amount, sum(amount) OVER earlier - amount, sum(amount) OVER earlier,
       reference::jsonb, date::timestamptz
FROM (VALUES
    ('opening', 20.1, '{}', '2026-01-01 00:00Z'),
    ('charge', -5, '{"record_id": "' || id_of(31) || '"}', '2026-01-01 00:30Z'),
    ('charge', -5, '{"record_id": "' || id_of(32) || '"}', '2026-01-01 00:59Z'),
    ('batch', -10, '{"task_id": "' || id_of(21) || '", "first_row": 1, "last_row": 2}', '2026-01-01 01:3Z'),
    ('batch', -0.1, '{"task_id": "' || id_of(21) || '", "first_row": 3, "last_row": 3}', '2026-01-01 01:4Z')
) entry (kind, amount, reference, date)
WINDOW earlier AS (ORDER BY date)"""
"""Charges of version 1.1. Admins have corrected the user and amount of record 32 and the amount of 35."""

OLD_CHARGE = """
WITH debit AS (
    UPDATE users SET balance = balance - 5 WHERE id = :user_id RETURNING id, balance
), record AS (
    INSERT INTO records (id, user_id, operation_id, arguments, amount, user_balance)
    SELECT :record_id, id, (SELECT id FROM operations WHERE type = 'addition'), '[]', 5, balance FROM debit
)
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
SELECT :record_id, id, 'charge', -5, balance + 5, balance,
       jsonb_build_object('record_id', CAST(:record_id AS uuid))
FROM debit"""
"""A charge by version 1.1."""

COUNTED = (
    [
        ["1", "2026-01-01 00", "addition", 2, 0, 10],
        ["1", "2026-01-01 01", "addition", 0, 2, 10],
        ["1", "2026-01-01 01", "division", 0, 1, Decimal("0.1")],
    ],
    [["addition", 2, 10], ["division", 1, Decimal("0.1")]],
    [["32", 5, "1"]],
)
"""What `counted` returns after the backfill of CHARGES."""


def id_of(number: int) -> UUID:
    return UUID(f"{number:032}")


def insert_charges(connection: Connection, charges: str) -> None:
    connection.run(
        "CREATE FUNCTION id_of(n int) RETURNS uuid LANGUAGE sql RETURN lpad(n::text, 32, '0')::uuid"
    )
    for statement in charges.split(";\n"):
        connection.run(statement)
    connection.run("DROP FUNCTION id_of")


def counted(connection: Connection) -> tuple[list[list[Any]], ...]:
    """Return the usage before this month, the operations of tasks, and the charges of corrected records."""
    return (
        connection.run(
            "SELECT right(user_id::text, 1), left(hour::text, 13), type, calls, rows, spent FROM usage_hours"
            " WHERE hour < '2026-02-01' ORDER BY 2, 3"
        ),
        connection.run("SELECT type, rows, spent FROM task_operations ORDER BY 1"),
        connection.run(
            "SELECT right(id::text, 2), charged, right(charged_user_id::text, 1) FROM records"
            " WHERE charged IS NOT NULL"
        ),
    )


@pytest.fixture
def old(
    server: Server, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    """A connection to a database of version 1.1 with CHARGES."""
    migrate_to(tmp_path, monkeypatch, "0009*", "001*")
    with server.connect(name_of(empty_database_url)) as connection:
        insert_charges(connection, CHARGES)
        yield connection


@pytest.fixture
def upgraded(old: Connection) -> Connection:
    """A connection to a database that was upgraded from version 1.1. Nothing is counted yet."""
    migrations.handler._migrate()
    return old


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count one entry in a batch."""
    monkeypatch.setattr(usage_backfill, "ROWS_LIMIT", 1)


def expire_hourly() -> None:
    dispose_connections()  # another process
    expire.handler({}, LambdaContext(Function("expire", "", 300, 512)))


@pytest.mark.parametrize("row_limit", [1, 2, 3, 5_000])
def test_batches_of_any_size_have_the_same_result(
    upgraded: Connection, monkeypatch: pytest.MonkeyPatch, row_limit: int
) -> None:
    monkeypatch.setattr(usage_backfill, "ROWS_LIMIT", row_limit)
    assert counted(upgraded) == ([], [], [])
    assert usage_backfill.advance(60)
    assert counted(upgraded) == COUNTED
    assert usage_backfill.advance(60)
    assert counted(upgraded) == COUNTED


def test_charges_of_version_1_1_after_the_migration_are_counted_by_the_trigger(
    server: Server, empty_database_url: str
) -> None:
    migrations.handler._migrate()
    with server.connect(name_of(empty_database_url)) as connection:
        # They are counted before an admin can correct them.
        insert_charges(connection, CHARGES.replace("'[]', 7,", "'[]', 5,").replace("'[]', 99,", "'[]', 5,"))
        assert audit.usage_is_counted()
        assert counted(connection) == (*COUNTED[:2], [])


@pytest.mark.usefixtures("single")
def test_interrupted_backfill_continues_beside_charges_of_both_versions(
    upgraded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations.handler, "BACKFILL_SECONDS", 0)
    without_usage = {"status": audit.PASSED_WITHOUT_USAGE}
    assert nightly.handler({}, None) == without_usage
    assert migrations.handler.handler({}, None)["revision"] == HEAD
    assert counted(upgraded)[0] == COUNTED[0][2:]
    person = create_person(balance=100)
    upgraded.run(OLD_CHARGE, user_id=person.id, record_id=uuid7())
    charge(person)
    dispose_connections()  # another process
    assert not usage_backfill.advance(0)
    assert (counted(upgraded)[0], audit.findings()) == (COUNTED[0][1:], [])
    assert nightly.handler({}, None) == without_usage
    assert migrations.handler.handler({"audit": True}, None)["usage_counted"] is False
    upgraded.run(OLD_CHARGE, user_id=person.id, record_id=uuid7())
    charge(person)
    expire_hourly()
    assert counted(upgraded) == COUNTED
    new = upgraded.run("SELECT sum(calls), sum(spent) FROM usage_hours WHERE user_id = :id", id=person.id)
    assert new == [[4, 20]]
    assert (nightly.handler({}, None), audit.findings()) == ({"status": audit.PASSED}, [])


@pytest.mark.parametrize(
    "end", [usage_backfill.advance, lambda _: expire_hourly()], ids=["migrate", "expire"]
)
def test_audit_compares_usage_that_it_left_out_before_the_end(upgraded: Connection, end: Any) -> None:
    assert audit.advance(60).is_finished
    assert upgraded.run("SELECT count(*) FROM audit_points WHERE is_suspect") == [[0]]
    assert nightly.handler({}, None) == {"status": audit.PASSED_WITHOUT_USAGE}
    file = upgraded.run("SELECT pg_relation_filenode('audit_points')")
    end(60)
    assert upgraded.run("SELECT pg_relation_filenode('audit_points')") != file  # truncated, whatever its size
    upgraded.run("UPDATE usage_hours SET spent = spent + 1 WHERE hour = '2026-01-01 00:00Z'")
    with pytest.raises(nightly.LedgerMismatch):
        nightly.handler({}, None)
    (line,) = audit.findings()
    assert "usage 21.1000, charges less refunds 20.1000" in line


def test_audit_finds_wrong_balances_during_the_backfill(upgraded: Connection) -> None:
    upgraded.run("UPDATE users SET balance = 3 WHERE id = :id", id=id_of(1))
    with pytest.raises(nightly.LedgerMismatch):
        nightly.handler({}, None)
    (line,) = audit.findings()
    assert "usage" not in line


def test_corrections_before_a_record_is_counted_change_no_usage(upgraded: Connection) -> None:
    correction = {"user_id": id_of(2), "operation_id": id_of(12), "amount": Decimal(9)}
    for number in (31, 34):
        database.only(
            "update_record",
            id=id_of(number),
            **correction,
            user_balance=None,
            operation_response=None,
            date=None,
            admin_id=uuid7(),
            audit_id=uuid7(),
        )
    upgraded.run("UPDATE records SET amount = 8 WHERE id = :id", id=id_of(36))  # as version 1.1
    assert usage_backfill.advance(60)
    assert counted(upgraded)[:2] == COUNTED[:2]


@pytest.mark.usefixtures("single")
def test_refund_waits_until_the_charge_is_counted(upgraded: Connection) -> None:
    admin = create_person("admin").caller

    def refund_task() -> str:
        return refunds.refund_task(admin, id_of(21), "x", database)

    def refund_call() -> str:
        return refunds.refund_record(admin, id_of(32), "x", database)

    upgraded.run("UPDATE records SET amount = 0 WHERE id = :id", id=id_of(32))  # as version 1.1
    with pytest.raises(Conflict, match="charged nothing"):
        refunds.refund_record(admin, id_of(33), "x", database)  # a manual record
    for _ in range(2):  # the entries of the task, the newest first
        for refund in (refund_task, refund_call):
            with pytest.raises(Conflict, match="still counts"):
                refund()
        usage_backfill.advance(0)
    assert '"amount" : 10.1' in refund_task()
    with pytest.raises(Conflict, match="still counts"):
        refund_call()
    assert usage_backfill.advance(60)
    assert f'"user_id" : "{id_of(1)}"' in (refunded := refund_call())
    assert '"amount" : 5' in refunded
    assert upgraded.run("SELECT balance FROM users WHERE id = :id", id=id_of(1)) == [[Decimal("15.1")]]
    assert upgraded.run("SELECT sum(rows), sum(spent) FROM task_operations") == [[3, 0]]
    assert audit.findings() == []


def test_batch_waits_for_a_charge_only_briefly_and_fails_no_deploy(
    upgraded: Connection, server: Server, empty_database_url: str
) -> None:
    with server.connect(name_of(empty_database_url)) as other:
        other.run("BEGIN")
        other.run(
            "INSERT INTO usage_hours (user_id, hour, type) VALUES (:id, '2026-01-01 00:00Z', 'addition')",
            id=id_of(1),
        )
        migrations.handler.handler({}, None)
        assert counted(upgraded) == ([], [], [])
        other.run("ROLLBACK")
    expire_hourly()
    assert counted(upgraded) == COUNTED


def test_batch_gives_up_a_lock_before_a_deadlock_is_detected(upgraded: Connection) -> None:
    with UnitOfWork() as uow:
        uow.run("lock_usage_backfill")
        limit, detection = uow.query(
            "SELECT CAST(current_setting(name) AS interval) AS duration"
            " FROM unnest(ARRAY['lock_timeout', 'deadlock_timeout']) name",
            {},
        )
    assert timedelta() < limit["duration"] < detection["duration"]


def test_existing_api_keys_keep_all_rights(upgraded: Connection) -> None:
    assert upgraded.run("SELECT scopes FROM api_keys") == [[["read", "compute", "batch", "admin"]]]


def test_batch_reads_records_in_proportion_to_its_size(upgraded: Connection) -> None:
    upgraded.run(
        """WITH record AS (
               INSERT INTO records (id, user_id, operation_id, arguments, amount, user_balance)
               SELECT gen_random_uuid(), users.id, operations.id, '[]', 0, 0
               FROM users, operations, generate_series(1, 5000)
               WHERE users.email = 'b@x.yz' AND operations.type = 'addition'
               RETURNING id, user_id
           ), entry AS (
               INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference,
                                   in_usage)
               SELECT id, user_id, 'charge', 0, 0, 0, jsonb_build_object('record_id', id), true FROM record
               RETURNING seq
           )
           UPDATE usage_backfill SET seq = (SELECT max(seq) FROM entry)"""
    )
    upgraded.run("ANALYZE")
    for _ in range(7):  # Postgres may choose another plan after five executions
        with UnitOfWork() as uow:
            uow.run("lock_usage_backfill")
            uow.run("count_past_usage", row_limit=100)
            (row,) = uow.query(
                "SELECT sum(seq_tup_read + idx_tup_fetch) AS rows FROM pg_stat_xact_user_tables"
                " WHERE relname IN ('records', 'ledger')",
                {},
            )
            uow.commit()
        assert 200 <= row["rows"] < 5000  # may include earlier batches
