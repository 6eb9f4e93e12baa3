"""Refunds of records and tasks: exactly what was charged, once, whatever runs at the same time."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared import database, records, tasks
from shared.billing import refunds
from shared.database import UnitOfWork
from shared.errors import Conflict, DomainError, NotFound
from shared.idempotency import Request, run_once
from shared.ids import uuid7
from tests.support.audit import mismatches
from tests.support.charging import charge, outcome_of
from tests.support.eventually import eventually
from tests.support.users import Person, run_concurrently
from worker.blocks import Block
from worker.chunk_billing import Position, bill_chunk
from worker.chunks import Chunk
from worker.csv_rows import Row

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]
COSTS = {"addition": Decimal("1.5"), "multiplication": Decimal("0.0001")}


@pytest.fixture(autouse=True)
def prices(sql: Sql) -> None:
    for operation, cost in COSTS.items():
        sql("UPDATE operations SET cost = :cost WHERE type = :type", cost=cost, type=operation)


def call(person: Person, operation: str = "addition") -> UUID:
    """Charge a call and return its record's id."""
    return UUID(json.loads(charge(person, operation=operation).body)["record_id"])


def begin_task(owner: Person, sql: Sql) -> UUID:
    """Create a task that is being processed."""
    sql("DELETE FROM rate_limits")
    task_id, _ = tasks.create(owner.caller, "a.csv", 10, "queued")
    sql("UPDATE tasks SET status = 'processing', etag = 'e' WHERE id = :id", id=task_id)
    return task_id


def bill(task_id: UUID, *operations: str, uow: UnitOfWork | None = None, start: int = 0) -> None:
    """Bill a chunk with a row of each operation, each one byte long. With a unit of work, do not commit."""
    ends = range(start + 1, start + len(operations) + 1)
    rows = [Row([name, "[1, 2]"], end, end, end) for name, end in zip(operations, ends, strict=True)]
    block = Block(rows, [*operations], ["[1, 2]"] * len(rows), ["3"] * len(rows), {})
    chunk, at = Chunk(start + len(rows), start + len(rows), [block]), Position(start, start, start)
    if uow is not None:
        uow.commit = lambda: None  # type: ignore[method-assign]
        bill_chunk(uow, task_id, at, chunk)
        del uow.commit
        return
    with UnitOfWork() as own:
        bill_chunk(own, task_id, at, chunk)


def ended_task(owner: Person, sql: Sql, *operations: str, status: str = "completed") -> UUID:
    task_id = begin_task(owner, sql)
    bill(task_id, *(operations or ("addition", "multiplication", "addition")))
    sql("UPDATE tasks SET status = :status, finished_at = now() WHERE id = :id", status=status, id=task_id)
    return task_id


def rows_of(task_id: UUID, sql: Sql) -> list[UUID]:
    return [id for (id,) in sql("SELECT id FROM records WHERE task_id = :id ORDER BY task_row", id=task_id)]


def refund_record(admin: Person, record_id: UUID) -> dict[str, Any]:
    body = refunds.refund_record(admin.caller, record_id, "a mistake", database)
    return dict(json.loads(body, parse_float=Decimal))


def refund_task(admin: Person, task_id: UUID) -> dict[str, Any]:
    body = refunds.refund_task(admin.caller, task_id, "a mistake", database)
    return dict(json.loads(body, parse_float=Decimal))


def outcome(refund: Callable[..., Any], *arguments: Any) -> str:
    try:
        refund(*arguments)
    except DomainError as error:
        return type(error).__name__
    return "refunded"


def balance(person: Person, sql: Sql) -> Decimal:
    ((value,),) = sql("SELECT balance FROM users WHERE id = :id", id=person.id)
    return Decimal(value)


def usage(person: Person, sql: Sql) -> dict[str, tuple[int, int, Decimal]]:
    rows = sql(
        "SELECT type, sum(calls), sum(rows), sum(spent) FROM usage_hours WHERE user_id = :id GROUP BY 1",
        id=person.id,
    )
    return {type: (calls, billed, spent) for type, calls, billed, spent in rows}


def check_books(sql: Sql) -> None:
    """Check the ledger, the usage by hour, and each task's refunds against its operations."""
    assert mismatches() == []
    wrong = sql(
        """SELECT t.id FROM tasks t LEFT JOIN task_operations o ON o.task_id = t.id
           GROUP BY t.id HAVING t.spent - t.refunded <> coalesce(sum(o.spent), 0) OR t.refunded > t.spent"""
    )
    assert wrong == []


def refund_entries(sql: Sql) -> list[Any]:
    return sql("SELECT user_id, amount, reference FROM ledger WHERE kind = 'refund' ORDER BY seq")


def waits_for_lock(sql: Sql) -> None:
    eventually(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def test_refund_of_a_record_returns_what_it_was_charged(admin: Person, client: Person, sql: Sql) -> None:
    record_id = call(client)
    sql("UPDATE operations SET cost = 7 WHERE type = 'addition'")
    refund = refund_record(admin, record_id)
    assert (refund["amount"], refund["user_balance"]) == (Decimal("1.5"), 20)
    assert (refund["record_id"], refund["task_id"]) == (str(record_id), None)
    assert refund_entries(sql) == [
        [
            client.id,
            Decimal("1.5"),
            {"record_id": str(record_id), "reason": "a mistake", "refunded_by": str(admin.id)},
        ]
    ]
    record = json.loads(database.only("record", id=record_id, owner=client.id)["body"])
    assert record["refund_id"] == refund["id"]
    assert record["refunded_at"]
    assert usage(client, sql) == {"addition": (1, 0, 0)}
    check_books(sql)


def test_refunds_are_in_the_audit_log(admin: Person, client: Person, sql: Sql) -> None:
    record_id, task_id = call(client), ended_task(client, sql, "addition", "addition")
    refunds = {record_id: refund_record(admin, record_id), task_id: refund_task(admin, task_id)}
    found = sql("SELECT actor_id, action, resource, resource_id, before, after FROM audit_log ORDER BY seq")
    assert found == [
        [
            admin.id,
            "refund",
            resource,
            resource_id,
            {"refund_id": None},
            {"refund_id": body["id"], "amount": body["amount"], "reason": body["reason"]},
        ]
        for resource, (resource_id, body) in zip(("record", "task"), refunds.items(), strict=True)
    ]


def test_record_is_refunded_once(admin: Person, client: Person, sql: Sql) -> None:
    record_id = call(client)
    refund_record(admin, record_id)
    with pytest.raises(Conflict, match="refunded before"):
        refund_record(admin, record_id)
    assert balance(client, sql) == 20


def test_corrected_record_is_refunded_as_it_was_charged(admin: Person, client: Person, sql: Sql) -> None:
    record_id = call(client)
    ((other,),) = sql("SELECT id FROM operations WHERE type = 'division'")
    for amount in (100, 0):
        records.update(
            record_id,
            {"amount": Decimal(amount), "user_id": admin.id, "operation_id": other},
            admin_id=uuid7(),
        )
    assert refund_record(admin, record_id)["user_id"] == str(client.id)
    assert (balance(client, sql), balance(admin, sql)) == (20, 20)
    assert usage(client, sql) == {"addition": (1, 0, 0)}
    check_books(sql)


def test_manual_and_free_records_have_nothing_to_refund(admin: Person, client: Person, sql: Sql) -> None:
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    manual = {"user_id": client.id, "operation_id": operation_id, "operation_response": 3}
    record_id, _ = records.create(
        {**manual, "amount": Decimal(5), "user_balance": Decimal(5)}, admin_id=uuid7()
    )
    records.update(record_id, {"amount": Decimal(9)}, admin_id=uuid7())
    sql("UPDATE operations SET cost = 0")
    for nothing in (record_id, call(client)):
        with pytest.raises(Conflict, match="charged nothing"):
            refund_record(admin, nothing)
    assert refund_entries(sql) == []


def test_manual_record_of_the_previous_version_has_nothing_to_refund(
    admin: Person, client: Person, sql: Sql
) -> None:
    record_id = uuid7()
    sql(
        """INSERT INTO records (id, user_id, operation_id, amount, user_balance)
           SELECT :id, :user_id, id, 5, 5 FROM operations LIMIT 1""",
        id=record_id,
        user_id=client.id,
    )
    assert outcome(refund_record, admin, record_id) == "Conflict"


def test_unknown_and_deleted_records_are_not_found(admin: Person, client: Person) -> None:
    record_id = call(client)
    database.one("delete_record", id=record_id, admin_id=uuid7(), audit_id=uuid7())
    for missing in (record_id, uuid7()):
        with pytest.raises(NotFound):
            refund_record(admin, missing)
    with pytest.raises(NotFound):
        refund_task(admin, uuid7())


def test_deleted_user_gets_no_refund(admin: Person, client: Person, sql: Sql) -> None:
    record_id, task_id = call(client), ended_task(client, sql)
    sql("UPDATE users SET deleted_at = now() WHERE id = :id", id=client.id)
    for refund, thing in ((refund_record, record_id), (refund_task, task_id)):
        with pytest.raises(Conflict, match="deleted"):
            refund(admin, thing)
    check_books(sql)


@pytest.mark.parametrize("status", ["completed", "out_of_credit", "failed", "cancelled"])
def test_refund_of_an_ended_task_returns_all_its_charges(
    admin: Person, client: Person, sql: Sql, status: str
) -> None:
    task_id = ended_task(client, sql, status=status)
    assert balance(client, sql) == Decimal("16.9999")
    refund = refund_task(admin, task_id)
    assert (refund["amount"], refund["user_balance"]) == (Decimal("3.0001"), 20)
    assert (refund["record_id"], refund["task_id"]) == (None, str(task_id))
    assert refund_entries(sql)[0][2] == {
        "task_id": str(task_id),
        "reason": "a mistake",
        "refunded_by": str(admin.id),
    }
    task = json.loads(tasks.get(task_id, client.id)["body"])
    assert task["refund_id"] == refund["id"]
    record = json.loads(database.only("record", id=rows_of(task_id, sql)[0], owner=None)["body"])
    assert record["refund_id"] == refund["id"]
    assert usage(client, sql) == {"addition": (0, 2, 0), "multiplication": (0, 1, 0)}
    with pytest.raises(Conflict, match="refunded before"):
        refund_task(admin, task_id)
    for row in rows_of(task_id, sql):
        with pytest.raises(Conflict, match="refunded before"):
            refund_record(admin, row)
    check_books(sql)


def test_refund_of_a_task_leaves_out_records_refunded_singly(admin: Person, client: Person, sql: Sql) -> None:
    task_id = ended_task(client, sql)
    refund = refund_record(admin, rows_of(task_id, sql)[0])
    assert (refund["amount"], refund["task_id"]) == (Decimal("1.5"), str(task_id))
    check_books(sql)
    assert refund_task(admin, task_id)["amount"] == Decimal("1.5001")
    assert balance(client, sql) == 20
    check_books(sql)


def test_record_is_not_refunded_beyond_what_its_task_was_charged(
    admin: Person, client: Person, sql: Sql
) -> None:
    """Version 1.1 does not keep what a record was charged when an admin corrects it."""
    task_id = ended_task(client, sql)
    corrected, *others = rows_of(task_id, sql)
    sql("UPDATE records SET amount = 100 WHERE id = :id", id=corrected)
    with pytest.raises(Conflict, match="An admin corrected the amount"):
        refund_record(admin, corrected)
    for row in others:
        refund_record(admin, row)
    assert refund_task(admin, task_id)["amount"] == Decimal("1.5")
    check_books(sql)


def test_task_whose_records_were_all_refunded_has_nothing_to_refund(
    admin: Person, client: Person, sql: Sql
) -> None:
    task_id = ended_task(client, sql)
    for row in rows_of(task_id, sql):
        refund_record(admin, row)
    with pytest.raises(Conflict, match="Nothing is left"):
        refund_task(admin, task_id)
    check_books(sql)


@pytest.mark.parametrize("status", ["awaiting_upload", "queued", "processing"])
def test_unfinished_task_is_not_refunded(admin: Person, client: Person, sql: Sql, status: str) -> None:
    task_id = ended_task(client, sql, status=status)
    with pytest.raises(Conflict, match="wait until it has ended"):
        refund_task(admin, task_id)


@pytest.mark.parametrize("status", ["out_of_credit", "cancelled"])
def test_refunded_task_is_not_resumed(admin: Person, client: Person, sql: Sql, status: str) -> None:
    task_id = ended_task(client, sql, status=status)
    refund_task(admin, task_id)
    with pytest.raises(Conflict, match="was refunded"):
        tasks.resume(task_id, client.id, lambda *_: None)


def test_refund_of_a_record_lets_its_task_resume(admin: Person, client: Person, sql: Sql) -> None:
    task_id = ended_task(client, sql, status="cancelled")
    refund_record(admin, rows_of(task_id, sql)[0])
    tasks.resume(task_id, client.id, lambda *_: None)
    sql("UPDATE tasks SET status = 'processing' WHERE id = :id", id=task_id)
    bill(task_id, "addition", start=3)
    sql("UPDATE tasks SET status = 'completed' WHERE id = :id", id=task_id)
    assert refund_task(admin, task_id)["amount"] == Decimal("3.0001")
    assert balance(client, sql) == 20
    check_books(sql)


def test_retry_with_the_key_returns_the_first_refund(admin: Person, client: Person, sql: Sql) -> None:
    record_id = call(client)

    def refund(reason: str) -> Any:
        request = Request(admin.id, "POST /refund", "key", {"id": record_id, "reason": reason})
        return run_once(request, lambda uow: refunds.refund_record(admin.caller, record_id, reason, uow))

    first, again = refund("a mistake"), refund("a mistake")
    assert (again.body, again.replayed) == (first.body, True)
    assert outcome(refund, "another") == "IdempotencyKeyReused"
    assert len(refund_entries(sql)) == 1


@pytest.mark.parametrize("callers", [2, 50])
def test_concurrent_refunds_of_a_record_refund_it_once(
    admin: Person, client: Person, sql: Sql, callers: int
) -> None:
    record_id = call(client)
    outcomes = run_concurrently(callers, lambda _: outcome(refund_record, admin, record_id))
    assert Counter(outcomes) == {"refunded": 1, "Conflict": callers - 1}
    assert balance(client, sql) == 20
    check_books(sql)


@pytest.mark.parametrize("callers", [2, 50])
def test_concurrent_refunds_of_a_task_refund_it_once(
    admin: Person, client: Person, sql: Sql, callers: int
) -> None:
    task_id = ended_task(client, sql)
    outcomes = run_concurrently(callers, lambda _: outcome(refund_task, admin, task_id))
    assert Counter(outcomes) == {"refunded": 1, "Conflict": callers - 1}
    assert balance(client, sql) == 20
    check_books(sql)


def test_refunds_of_a_task_and_of_its_records_return_each_charge_once(
    admin: Person, client: Person, sql: Sql
) -> None:
    for _ in range(5):
        task_id = ended_task(client, sql, *["addition", "multiplication"] * 4)
        things = [(refund_task, task_id), *((refund_record, row) for row in rows_of(task_id, sql))]
        outcomes = run_concurrently(
            len(things), lambda number, things=things: outcome(things[number][0], admin, things[number][1])
        )
        assert set(outcomes) <= {"refunded", "Conflict"}
        assert "refunded" in outcomes
        outcome(refund_task, admin, task_id)
        assert balance(client, sql) == 20
        check_books(sql)


def test_fifty_refunds_beside_charges_keep_the_books(admin: Person, client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0.1")
    called = [call(client, operation) for operation in ("addition", "multiplication") * 13]

    def act(number: int) -> str:
        if number % 2:
            return outcome_of(lambda: charge(client))
        return outcome(refund_record, admin, called[number // 2])

    outcomes = Counter(run_concurrently(50, act))
    assert outcomes == {"charged": 25, "refunded": 25}
    assert balance(client, sql) == 20 - Decimal("0.1") * 26
    check_books(sql)


def test_refund_of_a_record_waits_for_the_running_chunk(
    another_uow: AnotherUow, admin: Person, client: Person, sql: Sql
) -> None:
    task_id = begin_task(client, sql)
    bill(task_id, "addition")
    worker = another_uow()
    bill(task_id, "multiplication", uow=worker, start=1)
    with ThreadPoolExecutor(1) as pool:
        refund = pool.submit(refund_record, admin, rows_of(task_id, sql)[0])
        waits_for_lock(sql)
        worker.commit()
        assert refund.result(10)["user_balance"] == Decimal("19.9999")
    bill(task_id, "addition", start=2)
    check_books(sql)


def test_refund_of_a_task_beside_its_last_chunk_includes_it(
    another_uow: AnotherUow, admin: Person, client: Person, sql: Sql
) -> None:
    task_id = begin_task(client, sql)
    bill(task_id, "addition")
    worker = another_uow()
    bill(task_id, "multiplication", uow=worker, start=1)
    worker.run("fail_task", id=task_id, error="for a reason", announced=False)
    with ThreadPoolExecutor(1) as pool:
        refund = pool.submit(refund_task, admin, task_id)
        waits_for_lock(sql)
        worker.commit()
        assert refund.result(10)["amount"] == Decimal("1.5001")
    assert usage(client, sql) == {"addition": (0, 1, 0), "multiplication": (0, 1, 0)}
    check_books(sql)


def test_refund_beside_the_end_of_a_task_happens_after_it_or_not(
    another_uow: AnotherUow, admin: Person, client: Person, sql: Sql
) -> None:
    task_id = ended_task(client, sql, status="processing")
    sql("UPDATE tasks SET bytes_total = bytes_done WHERE id = :id", id=task_id)
    worker = another_uow()
    assert worker.one("complete_task", id=task_id, dry_run=False)
    with ThreadPoolExecutor(1) as pool:
        refund = pool.submit(outcome, refund_task, admin, task_id)
        waits_for_lock(sql)
        worker.commit()
        assert refund.result(10) == "refunded"
    check_books(sql)


@pytest.mark.parametrize("first", ["refund", "resume"])
def test_task_is_either_refunded_or_resumed(
    another_uow: AnotherUow, admin: Person, client: Person, sql: Sql, first: str
) -> None:
    task_id = ended_task(client, sql, status="cancelled")

    def resume() -> None:
        tasks.resume(task_id, client.id, lambda *_: None)

    with ThreadPoolExecutor(1) as pool:
        if first == "refund":
            uow = another_uow()
            refunds.refund_task(admin.caller, task_id, "a mistake", uow)
            other = pool.submit(outcome, resume)
            waits_for_lock(sql)
            uow.commit()
        else:

            def send(*_: UUID) -> None:
                waiting.append(pool.submit(outcome, refund_task, admin, task_id))
                waits_for_lock(sql)

            waiting = list[Any]()
            tasks.resume(task_id, client.id, send)
            (other,) = waiting
        assert other.result(10) == "Conflict"
    check_books(sql)


def test_refunds_beside_chunks_charges_and_corrections_cause_no_deadlock(
    admin: Person, client: Person, sql: Sql
) -> None:
    sql("UPDATE operations SET cost = 0.01")
    ended = [ended_task(client, sql) for _ in range(4)]
    running = begin_task(client, sql)
    bill(running, *["addition", "multiplication"] * 4)
    rows = [row for task_id in (*ended, running) for row in rows_of(task_id, sql)]

    def act(number: int) -> str:
        match number % 4:
            case 0:
                return outcome(refund_record, admin, rows[number % len(rows)])
            case 1:
                return outcome(refund_task, admin, ended[number // 4 % len(ended)])
            case 2:
                return outcome_of(lambda: charge(client))
        if number == 3:
            for start in range(8, 40, 4):
                bill(running, "addition", "multiplication", "division", "addition", start=start)
            return "billed"
        return outcome(records.update, rows[number % len(rows)], {"amount": Decimal(number)}, uuid7())

    outcomes = Counter(run_concurrently(40, act))
    assert set(outcomes) <= {"refunded", "Conflict", "charged", "billed"}
    check_books(sql)
    ((spent,),) = sql("SELECT sum(spent) FROM usage_hours WHERE user_id = :id", id=client.id)
    assert balance(client, sql) == 20 - spent
