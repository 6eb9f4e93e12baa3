"""Manual records, which move no money, and tasks from creation to resumption."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.tasks import process_csv
from functions.tasks import results as task_results
from shared import aws, database, records, tasks
from shared.auth import tokens
from shared.database import UnitOfWork
from shared.errors import Conflict, InvalidInput, NotFound, ServiceUnavailable, TooManyRequests
from shared.ids import uuid7
from tests.support.audit import mismatches
from tests.support.lambda_event import event, problem
from tests.support.users import Person, create_person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


@pytest.fixture
def manual(client: Person, sql: Sql) -> dict[str, Any]:
    """Return the fields of a valid manual record."""
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    return {
        "operation_id": operation_id,
        "user_id": client.id,
        "amount": Decimal("5.5"),
        "user_balance": Decimal(100),
        "operation_response": {"sum": Decimal("0.1")},
        "date": datetime(2026, 1, 1, tzinfo=UTC),
    }


def shown(record_id: UUID) -> dict[str, Any]:
    row = database.one("record", id=record_id, owner=None)
    assert row is not None
    record: dict[str, Any] = json.loads(row["body"])
    return record


def test_manual_record_is_stored_as_sent_and_moves_no_money(
    client: Person, sql: Sql, manual: dict[str, Any]
) -> None:
    record_id, body = records.create(manual, admin_id=uuid7())
    assert json.loads(body) == shown(record_id)
    record = shown(record_id)
    assert (record["amount"], record["user_balance"], record["operation_response"]) == (
        5.5,
        100,
        {"sum": 0.1},
    )
    assert record["date"] == "2026-01-01T00:00:00.000000Z"
    assert sql("SELECT balance FROM users WHERE id = :id", id=client.id) == [[20]]
    assert mismatches() == []


def test_manual_record_keeps_every_digit_of_its_response(manual: dict[str, Any]) -> None:
    exact = Decimal("12345678901234.5678")
    record_id, body = records.create({**manual, "operation_response": {"sums": [exact]}}, admin_id=uuid7())
    assert f'"sums" : [{exact}]' in body
    records.update(record_id, {"operation_response": -exact}, admin_id=uuid7())
    row = database.one("record", id=record_id, owner=None)
    assert row is not None
    assert json.loads(row["body"], parse_float=Decimal)["operation_response"] == -exact


def test_manual_record_without_a_date_has_the_current_time(manual: dict[str, Any]) -> None:
    record_id, _ = records.create({**manual, "date": None}, admin_id=uuid7())
    age = datetime.now(UTC) - datetime.fromisoformat(shown(record_id)["date"])
    assert abs(age.total_seconds()) < 60


@pytest.mark.parametrize("name", ["user_id", "operation_id"])
def test_record_with_an_unknown_user_or_operation_is_rejected_with_its_pointer(
    sql: Sql, manual: dict[str, Any], name: str
) -> None:
    record_id, _ = records.create(manual, admin_id=uuid7())
    for change in (
        lambda: records.create({**manual, name: uuid4()}, admin_id=uuid7()),
        lambda: records.update(record_id, {name: uuid4()}, admin_id=uuid7()),
    ):
        with pytest.raises(InvalidInput) as caught:
            change()
        assert caught.value.errors[0]["pointer"] == f"#/{name}"
    assert sql("SELECT count(*) FROM records") == [[1]]
    assert shown(record_id)[name] == str(manual[name])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": Decimal("-1.25")}, {"amount": -1.25}),
        ({"operation_response": None}, {"operation_response": None}),
        ({"operation_response": "text"}, {"operation_response": "text"}),
        ({"user_balance": Decimal(0), "amount": Decimal(0)}, {"user_balance": 0, "amount": 0}),
    ],
    ids=str,
)
def test_update_changes_only_the_sent_fields(
    manual: dict[str, Any], change: dict[str, Any], expected: dict[str, Any]
) -> None:
    record_id, _ = records.create(manual, admin_id=uuid7())
    before = shown(record_id)
    records.update(record_id, change, admin_id=uuid7())
    assert shown(record_id) == {**before, **expected}
    assert mismatches() == []


def test_deleted_record_cannot_be_read_changed_or_deleted_again(manual: dict[str, Any]) -> None:
    record_id, _ = records.create(manual, admin_id=uuid7())
    assert database.one("delete_record", id=record_id, admin_id=uuid7(), audit_id=uuid7()) is not None
    assert database.one("delete_record", id=record_id, admin_id=uuid7(), audit_id=uuid7()) is None
    assert database.one("record", id=record_id, owner=None) is None
    with pytest.raises(NotFound):
        records.update(record_id, {"amount": Decimal(1)}, admin_id=uuid7())


def test_record_of_another_user_is_not_found(client: Person, manual: dict[str, Any]) -> None:
    record_id, _ = records.create(manual, admin_id=uuid7())
    assert database.one("record", id=record_id, owner=client.id) is not None
    assert database.one("record", id=record_id, owner=create_person().id) is None


def task(owner: Person, sql: Sql, status: str) -> UUID:
    """Create a task with this status."""
    task_id, _ = tasks.create(owner.caller, "a.csv", 10, "queued")
    sql(
        "UPDATE tasks SET status = :status, etag = 'e', finished_at = now() WHERE id = :id",
        status=status,
        id=task_id,
    )
    return task_id


def test_six_concurrent_uploads_are_accepted_and_the_seventh_is_throttled(client: Person, sql: Sql) -> None:
    waits = list[int]()

    def upload(_: int) -> bool:
        try:
            tasks.create(client.caller, "a.csv", 10, "queued")
        except TooManyRequests as error:
            waits.append(error.retry_after)
            return False
        return True

    assert sum(run_concurrently(12, upload)) == 6
    assert sql("SELECT count(*) FROM tasks") == [[6]]
    tasks.create(create_person().caller, "a.csv", 10, "queued")
    sql("UPDATE rate_limits SET filled_at = filled_at - interval '10 seconds'")
    assert upload(0)
    assert not upload(0)
    assert all(1 <= wait <= 10 for wait in waits)


ENDED = ["completed", "failed", "cancelled", "out_of_credit"]


@pytest.mark.parametrize("status", ["awaiting_upload", "queued", "processing"])
def test_unfinished_task_can_be_cancelled_but_not_resumed(client: Person, sql: Sql, status: str) -> None:
    task_id = task(client, sql, status)
    with pytest.raises(Conflict, match=status):
        tasks.resume(task_id, client.id, lambda *_: None)
    tasks.cancel(task_id, client.id, lambda *_: None)
    assert tasks.get(task_id, client.id)["status"] == "cancelled"


@pytest.mark.parametrize("status", ENDED)
def test_ended_task_cannot_be_cancelled(client: Person, sql: Sql, status: str) -> None:
    task_id = task(client, sql, status)
    with pytest.raises(Conflict, match=status):
        tasks.cancel(task_id, client.id, lambda *_: None)


@pytest.mark.parametrize("status", ENDED)
def test_only_a_task_out_of_credit_or_cancelled_can_be_resumed(client: Person, sql: Sql, status: str) -> None:
    task_id = task(client, sql, status)
    sent = list[tuple[UUID, UUID]]()
    if status in ("completed", "failed"):
        with pytest.raises(Conflict, match=status):
            tasks.resume(task_id, client.id, lambda *both: sent.append(both))
        assert (sent, tasks.get(task_id, client.id)["status"]) == ([], status)
    else:
        tasks.resume(task_id, client.id, lambda *both: sent.append(both))
        assert (sent, tasks.get(task_id, client.id)["status"]) == ([(client.id, task_id)], "queued")


def test_resumed_task_that_never_started_still_awaits_its_upload(client: Person, sql: Sql) -> None:
    task_id = task(client, sql, "cancelled")
    sql("UPDATE tasks SET etag = NULL WHERE id = :id", id=task_id)
    tasks.resume(task_id, client.id, lambda *both: None)
    database.one("fail_task", id=task_id, error="The file does not exist.", announced=False)
    assert tasks.get(task_id, client.id)["status"] == "awaiting_upload"
    database.one("fail_task", id=task_id, error="The file does not exist.", announced=True)
    assert tasks.get(task_id, client.id)["status"] == "failed"


def test_resume_whose_message_cannot_be_sent_changes_nothing(client: Person, sql: Sql) -> None:
    task_id = task(client, sql, "out_of_credit")

    def fail(*_: UUID) -> None:
        raise ServiceUnavailable

    with pytest.raises(ServiceUnavailable):
        tasks.resume(task_id, client.id, fail)
    assert tasks.get(task_id, client.id)["status"] == "out_of_credit"


def test_cancellation_sends_one_message_and_changes_nothing_if_it_cannot_be_sent(
    client: Person, sql: Sql
) -> None:
    task_id, sent = task(client, sql, "processing"), list[tuple[UUID, UUID]]()

    def fail(*_: UUID) -> None:
        raise ServiceUnavailable

    with pytest.raises(ServiceUnavailable):
        tasks.cancel(task_id, client.id, fail)
    assert tasks.get(task_id, client.id)["status"] == "processing"
    tasks.cancel(task_id, client.id, lambda *both: sent.append(both))
    assert sent == [(client.id, task_id)]


@pytest.mark.parametrize(
    ("has_worker", "age", "messages"),
    [(True, "0 s", 0), (True, "61 s", 1), (False, "0 s", 1)],
    ids=["live worker", "dead worker", "no worker"],
)
def test_cancellation_sends_a_message_unless_a_live_worker_writes_the_results(
    client: Person, sql: Sql, has_worker: bool, age: str, messages: int
) -> None:
    task_id, sent = task(client, sql, "processing"), list[tuple[UUID, UUID]]()
    sql(
        "UPDATE tasks SET has_worker = :has_worker, updated_at = now() - CAST(:age AS interval)"
        " WHERE id = :id",
        has_worker=has_worker,
        age=age,
        id=task_id,
    )
    tasks.cancel(task_id, client.id, lambda *both: sent.append(both))
    assert sent == [(client.id, task_id)] * messages


def test_task_of_another_user_is_not_found(client: Person, sql: Sql) -> None:
    task_id, stranger = task(client, sql, "out_of_credit"), create_person().id
    for act in (
        lambda: tasks.get(task_id, stranger),
        lambda: tasks.cancel(task_id, stranger, lambda *_: None),
        lambda: tasks.resume(task_id, stranger, lambda *_: None),
    ):
        with pytest.raises(NotFound):
            act()
    assert tasks.get(task_id, None)["status"] == "out_of_credit"


def test_eight_concurrent_resumes_send_one_message(client: Person, sql: Sql) -> None:
    task_id, sent = task(client, sql, "out_of_credit"), list[UUID]()

    def resume(_: int) -> None:
        with suppress(Conflict):
            tasks.resume(task_id, client.id, lambda _, resumed: sent.append(resumed))

    run_concurrently(8, resume)
    assert sent == [task_id]


def start(task_id: UUID, owner: UUID, send: tasks.Send) -> str:
    with UnitOfWork() as uow:
        started = tasks.start(task_id, owner, send, uow)
        uow.commit()
    return started


@pytest.mark.parametrize(
    ("act", "status", "is_uploaded"),
    [
        (start, "quoted", True),
        (tasks.resume, "out_of_credit", True),
        (tasks.resume, "cancelled", True),
        (tasks.resume, "cancelled", False),
    ],
    ids=["start", "resume", "resume a cancelled task", "resume without an upload"],
)
def test_task_is_not_processed_again_once_its_upload_has_expired(
    client: Person, sql: Sql, act: Callable[..., str], status: str, is_uploaded: bool
) -> None:
    task_id, sent = task(client, sql, status), list[tuple[UUID, ...]]()
    age = "UPDATE tasks SET created_at = now() - CAST(:age AS interval) RETURNING created_at"
    ((created_at,),) = sql(age, age=timedelta(days=30))
    if not is_uploaded:
        sql("UPDATE tasks SET etag = NULL")
    before = sql("SELECT * FROM tasks"), sql("SELECT * FROM rate_limits")
    expired_on = created_at + timedelta(days=30)
    with pytest.raises(Conflict, match=f"expired on {expired_on:%Y-%m-%d}. Upload the file again"):
        act(task_id, client.id, lambda *ids: sent.append(ids))
    assert (sql("SELECT * FROM tasks"), sql("SELECT * FROM rate_limits"), sent) == (*before, [])
    sql(age, age=timedelta(days=30) - timedelta(minutes=1))
    act(task_id, client.id, lambda *_: None)
    assert tasks.get(task_id, client.id)["status"] == ("queued" if is_uploaded else "awaiting_upload")


@pytest.mark.parametrize("act", [start, tasks.resume], ids=["start", "resume"])
def test_status_is_the_reason_even_after_the_upload_has_expired(
    client: Person, sql: Sql, act: Callable[..., str]
) -> None:
    task_id = task(client, sql, "completed")
    sql("UPDATE tasks SET created_at = now() - interval '31 days'")
    with pytest.raises(Conflict, match="The task is completed"):
        act(task_id, client.id, lambda *_: None)


EXPIRED, ALMOST = timedelta(days=90), timedelta(days=90) - timedelta(minutes=1)
"""How long ago something happened."""


@pytest.mark.parametrize(
    ("status", "ended", "written", "code"),
    [
        ("completed", ALMOST, None, 303),
        ("completed", EXPIRED, None, 404),
        ("out_of_credit", ALMOST, None, 409),
        ("out_of_credit", EXPIRED, None, 404),
        ("cancelled", EXPIRED, ALMOST, 303),
        ("quoted", EXPIRED, EXPIRED, 404),
    ],
    ids=str,
)
def test_results_are_not_found_90_days_after_they_were_written(
    client: Person,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    ended: timedelta,
    written: timedelta | None,
    code: int,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "to sign links with")
    task_id = task(client, sql, status)
    sql(
        "UPDATE tasks SET finished_at = now() - CAST(:ended AS interval),"
        " results_at = now() - CAST(:written AS interval) WHERE id = :id",
        ended=ended,
        written=written,
        id=task_id,
    )
    path = f"/api/v1/tasks/{task_id}/results"
    token = tokens.issue(client.session_id, client.id, "client").access
    response = task_results.app(event("GET", path, headers={"authorization": f"Bearer {token}"}), None)
    assert response["statusCode"] == code
    if code == 404:
        expired_on = tasks.get(task_id, client.id)["finished_at"] + timedelta(days=90)
        assert problem(response)["detail"].startswith(f"The results expired on {expired_on:%Y-%m-%d}.")
    shown = json.loads(tasks.get(task_id, client.id)["body"])["results"]
    assert shown == (path if code == 303 else None)


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
def test_retry_after_a_failed_upload_makes_a_second_task_only_if_no_worker_has_the_file(
    client: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    def store(key: str, content: bytes) -> None:
        if stored:  # a worker finds the file before the connection fails
            sql("UPDATE tasks SET status = 'processing', etag = 'x', has_worker = true")
        raise ServiceUnavailable("S3")

    monkeypatch.setattr(aws, "store", store)
    token = tokens.issue(client.session_id, client.id, "client").access
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "multipart/form-data; boundary=b",
        "idempotency-key": "the file",
    }
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\noperation\r\n--b--\r\n'
    )
    request = event("POST", "/api/v1/process_csv", form, headers=headers)
    statuses = [process_csv.app(request, None)["statusCode"] for _ in range(2)]
    assert statuses == ([202, 202] if stored else [503, 503])
    assert sql("SELECT status FROM tasks") == ([["processing"]] if stored else [["failed"]] * 2)
