"""Records by an admin's hand, which move no money; and tasks from creation to resumption."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import records, tasks
from shared.billing import charges
from shared.database.unit_of_work import UnitOfWork
from shared.errors import Conflict, InvalidInput, NotFound, ServiceUnavailable, TooManyRequests
from tests.support.users import Person, at_once, enrol

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]


@pytest.fixture
def manual(client: Person, sql: Sql) -> dict[str, Any]:
    """A record as an admin may write one."""
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    return {
        "operation_id": operation_id,
        "user_id": client.id,
        "amount": Decimal("5.5"),
        "user_balance": Decimal(100),
        "operation_response": {"sum": Decimal("0.1")},
        "date": datetime(2026, 1, 1, tzinfo=UTC),
    }


def shown(uow: UnitOfWork, record_id: UUID) -> dict[str, Any]:
    row = uow.one("record", id=record_id, owner=None)
    assert row is not None
    record: dict[str, Any] = json.loads(row["body"])
    return record


def test_a_manual_record_is_kept_as_written_and_moves_no_money(
    uow: UnitOfWork, client: Person, sql: Sql, manual: dict[str, Any]
) -> None:
    record_id, body = records.create(uow, manual)
    assert json.loads(body) == shown(uow, record_id)
    record = shown(uow, record_id)
    assert (record["amount"], record["user_balance"], record["operation_response"]) == (
        5.5,
        100,
        {"sum": 0.1},
    )
    assert record["date"] == "2026-01-01T00:00:00.000000Z"
    assert sql("SELECT balance FROM users WHERE id = :id", id=client.id) == [[20]]
    assert charges.audit(uow) == []


def test_a_manual_record_keeps_every_digit_of_its_response(uow: UnitOfWork, manual: dict[str, Any]) -> None:
    exact = Decimal("12345678901234.5678")
    record_id, body = records.create(uow, {**manual, "operation_response": {"sums": [exact]}})
    assert f'"sums": [{exact}]' in body
    records.update(uow, record_id, {"operation_response": -exact})
    row = uow.one("record", id=record_id, owner=None)
    assert row is not None
    assert json.loads(row["body"], parse_float=Decimal)["operation_response"] == -exact


def test_a_manual_record_without_a_date_is_of_now(uow: UnitOfWork, manual: dict[str, Any]) -> None:
    record_id, _ = records.create(uow, {**manual, "date": None})
    age = datetime.now(UTC) - datetime.fromisoformat(shown(uow, record_id)["date"])
    assert abs(age.total_seconds()) < 60


@pytest.mark.parametrize("name", ["user_id", "operation_id"])
def test_a_record_of_what_does_not_exist_is_refused_pointing_at_it(
    uow: UnitOfWork, sql: Sql, manual: dict[str, Any], name: str
) -> None:
    record_id, _ = records.create(uow, manual)
    for change in (
        lambda: records.create(uow, {**manual, name: uuid4()}),
        lambda: records.update(uow, record_id, {name: uuid4()}),
    ):
        with pytest.raises(InvalidInput) as caught:
            change()
        assert caught.value.errors[0]["pointer"] == f"#/{name}"
    assert sql("SELECT count(*) FROM records") == [[1]]
    assert shown(uow, record_id)[name] == str(manual[name])


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"amount": Decimal("-1.25")}, {"amount": -1.25}),
        ({"operation_response": None}, {"operation_response": None}),
        ({"operation_response": "text"}, {"operation_response": "text"}),
        ({"user_balance": Decimal(0), "amount": Decimal(0)}, {"user_balance": 0, "amount": 0}),
    ],
    ids=str,
)
def test_a_correction_changes_what_it_names_and_nothing_else(
    uow: UnitOfWork, manual: dict[str, Any], change: dict[str, Any], seen: dict[str, Any]
) -> None:
    record_id, _ = records.create(uow, manual)
    before = shown(uow, record_id)
    records.update(uow, record_id, change)
    assert shown(uow, record_id) == {**before, **seen}
    assert charges.audit(uow) == []


def test_a_deleted_record_can_be_neither_seen_nor_corrected_nor_deleted_again(
    uow: UnitOfWork, manual: dict[str, Any]
) -> None:
    record_id, _ = records.create(uow, manual)
    assert uow.one("delete_record", id=record_id) is not None
    assert uow.one("delete_record", id=record_id) is None
    assert uow.one("record", id=record_id, owner=None) is None
    with pytest.raises(NotFound):
        records.update(uow, record_id, {"amount": Decimal(1)})


def test_anothers_record_is_not_there(uow: UnitOfWork, client: Person, manual: dict[str, Any]) -> None:
    record_id, _ = records.create(uow, manual)
    assert uow.one("record", id=record_id, owner=client.id) is not None
    assert uow.one("record", id=record_id, owner=enrol(uow).id) is None


def task(uow: UnitOfWork, owner: Person, sql: Sql, status: str) -> UUID:
    """A task that stands at a status."""
    task_id, _ = tasks.create(uow, owner.caller, "a.csv", 10, "queued")
    sql(
        "UPDATE tasks SET status = :status, etag = 'e', finished_at = now() WHERE id = :id",
        status=status,
        id=task_id,
    )
    return task_id


def test_six_uploads_at_once_are_taken_and_the_seventh_waits(
    uow: UnitOfWork, another_uow: AnotherUow, client: Person, sql: Sql
) -> None:
    waits = list[int]()

    def upload(unit: UnitOfWork, _: int) -> bool:
        try:
            tasks.create(unit, client.caller, "a.csv", 10, "queued")
        except TooManyRequests as error:
            waits.append(error.retry_after)
            return False
        return True

    assert sum(at_once(12, another_uow, upload)) == 6
    assert sql("SELECT count(*) FROM tasks") == [[6]]
    tasks.create(uow, enrol(uow).caller, "a.csv", 10, "queued")
    sql("UPDATE rate_limits SET filled_at = filled_at - interval '10 seconds'")
    assert upload(uow, 0)
    assert not upload(uow, 0)
    assert all(1 <= wait <= 10 for wait in waits)


ENDED = ["completed", "failed", "cancelled", "out_of_credit"]


@pytest.mark.parametrize("status", ["awaiting_upload", "queued", "processing"])
def test_a_task_that_has_not_ended_can_be_cancelled_and_not_resumed(
    uow: UnitOfWork, client: Person, sql: Sql, status: str
) -> None:
    task_id = task(uow, client, sql, status)
    with uow, pytest.raises(Conflict, match=status):
        tasks.resume(uow, task_id, client.id, lambda *_: None)
    tasks.cancel(uow, task_id, client.id)
    assert tasks.get(uow, task_id, client.id)["status"] == "cancelled"


@pytest.mark.parametrize("status", ENDED)
def test_a_task_that_has_ended_cant_be_cancelled(
    uow: UnitOfWork, client: Person, sql: Sql, status: str
) -> None:
    task_id = task(uow, client, sql, status)
    with pytest.raises(Conflict, match=status):
        tasks.cancel(uow, task_id, client.id)


@pytest.mark.parametrize("status", ENDED)
def test_only_what_ran_out_of_credit_or_was_cancelled_is_resumed(
    uow: UnitOfWork, client: Person, sql: Sql, status: str
) -> None:
    task_id = task(uow, client, sql, status)
    sent = list[tuple[UUID, UUID]]()
    if status in ("completed", "failed"):
        with uow, pytest.raises(Conflict, match=status):
            tasks.resume(uow, task_id, client.id, lambda *both: sent.append(both))
        assert (sent, tasks.get(uow, task_id, client.id)["status"]) == ([], status)
    else:
        with uow:
            tasks.resume(uow, task_id, client.id, lambda *both: sent.append(both))
        assert (sent, tasks.get(uow, task_id, client.id)["status"]) == ([(client.id, task_id)], "queued")


def test_a_task_cancelled_before_it_was_begun_may_still_await_its_upload_when_resumed(
    uow: UnitOfWork, client: Person, sql: Sql
) -> None:
    task_id = task(uow, client, sql, "cancelled")
    sql("UPDATE tasks SET etag = NULL WHERE id = :id", id=task_id)
    with uow:
        tasks.resume(uow, task_id, client.id, lambda *both: None)
    uow.one("fail_task", id=task_id, error="The file is not there.", announced=False)
    assert tasks.get(uow, task_id, client.id)["status"] == "awaiting_upload"
    uow.one("fail_task", id=task_id, error="The file is not there.", announced=True)
    assert tasks.get(uow, task_id, client.id)["status"] == "failed"


def test_a_resume_whose_message_cant_be_sent_changes_nothing(
    uow: UnitOfWork, client: Person, sql: Sql
) -> None:
    task_id = task(uow, client, sql, "out_of_credit")

    def fail(*_: UUID) -> None:
        raise ServiceUnavailable

    with uow, pytest.raises(ServiceUnavailable):
        tasks.resume(uow, task_id, client.id, fail)
    assert tasks.get(uow, task_id, client.id)["status"] == "out_of_credit"


def test_anothers_task_is_not_there(uow: UnitOfWork, client: Person, sql: Sql) -> None:
    task_id, stranger = task(uow, client, sql, "out_of_credit"), enrol(uow).id
    for act in (
        lambda: tasks.get(uow, task_id, stranger),
        lambda: tasks.cancel(uow, task_id, stranger),
        lambda: tasks.resume(uow, task_id, stranger, lambda *_: None),
    ):
        with uow, pytest.raises(NotFound):
            act()
    assert tasks.get(uow, task_id, None)["status"] == "out_of_credit"


def test_eight_resumes_at_once_send_one_message(
    uow: UnitOfWork, another_uow: AnotherUow, client: Person, sql: Sql
) -> None:
    task_id, sent = task(uow, client, sql, "out_of_credit"), list[UUID]()

    def resume(unit: UnitOfWork, _: int) -> None:
        with unit, suppress(Conflict):
            tasks.resume(unit, task_id, client.id, lambda _, resumed: sent.append(resumed))

    at_once(8, another_uow, resume)
    assert sent == [task_id]
