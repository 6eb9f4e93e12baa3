"""The outbox: the transaction that makes an event true writes it, if a webhook is subscribed to it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from deploy.serverless_file import Function
from docs.webhook_events import EVENTS as DOCUMENTED
from functions.housekeeping import expire
from localstack.context import LambdaContext
from shared import accounts, database, exports, tasks, users, webhooks
from shared.billing import charges, refunds
from shared.database import UnitOfWork
from shared.errors import NotSignedIn
from shared.ids import uuid7
from tests.support.charging import charge, hold_charge
from tests.support.eventually import eventually
from tests.support.users import Person, create_api_key
from tests.support.webhooks import EVENTS, emitted, subscribe

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]


@pytest.fixture
def subscriber(client: Person) -> Person:
    """A client with a webhook for all events."""
    subscribe(client.id)
    return client


@pytest.fixture
def events(sql: Sql, subscriber: Person) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """Return a function that returns the subscriber's events."""
    return lambda: emitted(sql, subscriber.id)


Events = Callable[[], list[tuple[str, dict[str, Any]]]]


def set_threshold(sql: Sql, person: Person, threshold: int | None) -> None:
    sql("UPDATE users SET low_balance_threshold = :to WHERE id = :id", to=threshold, id=person.id)


def running_task(sql: Sql, owner: Person, **columns: Any) -> UUID:
    """Create a task that a worker processes."""
    task_id, _ = tasks.create(owner.caller, "a.csv", 10, "queued", **columns)
    sql("UPDATE tasks SET status = 'processing', has_worker = true WHERE id = :id", id=task_id)
    return task_id


def end_chunk(task_id: UUID, owner: Person, status: str, spent: int = 0) -> None:
    """Bill a chunk that ends the task with this status."""
    with UnitOfWork() as uow:
        assert uow.one("begin_chunk", id=task_id, bytes_done=0, rows=1) is not None
        uow.one(
            "end_chunk",
            id=task_id,
            user_id=owner.id,
            entry_id=uuid7(),
            spent=Decimal(spent),
            billed=spent,
            first_row=1,
            last_row=1,
            bytes_done=10,
            lines_done=2,
            rows=1,
            failed=0,
            status=status,
            error=None if status == "processing" else "the reason",
            type_names=["addition"] if spent else [],
            type_rows=[1] if spent else [],
            type_spent=[Decimal(spent)] if spent else [],
        )
        uow.commit()


def test_completed_task_emits_its_state(sql: Sql, subscriber: Person, events: Events) -> None:
    task_id = running_task(sql, subscriber)
    end_chunk(task_id, subscriber, "processing")
    assert events() == []
    assert database.one("complete_task", id=task_id, dry_run=False)
    ((kind, data),) = events()
    assert kind == "task.completed"
    assert data == json.loads(tasks.get(task_id, subscriber.id)["body"], parse_float=Decimal)
    assert (data["status"], data["results"]) == ("completed", f"/api/v1/tasks/{task_id}/results")
    assert database.one("complete_task", id=task_id, dry_run=False) is None
    assert len(events()) == 1


def test_quoted_task_emits_that_it_completed(sql: Sql, subscriber: Person, events: Events) -> None:
    task_id = running_task(sql, subscriber, dry_run=True)
    sql("UPDATE tasks SET bytes_done = bytes_total WHERE id = :id", id=task_id)
    assert database.one("complete_task", id=task_id, dry_run=True)
    ((kind, data),) = events()
    assert (kind, data["status"], data["dry_run"]) == ("task.completed", "quoted", True)


@pytest.mark.parametrize(("status", "event"), [("out_of_credit", "task.stopped"), ("failed", "task.failed")])
def test_chunk_that_ends_a_task_emits_why(
    sql: Sql, subscriber: Person, events: Events, status: str, event: str
) -> None:
    task_id = running_task(sql, subscriber)
    end_chunk(task_id, subscriber, status)
    ((kind, data),) = events()
    assert (kind, data["id"], data["status"], data["error"]) == (event, str(task_id), status, "the reason")


def test_cancelled_resumed_and_cancelled_again_emits_twice(subscriber: Person, events: Events) -> None:
    task_id, _ = tasks.create(subscriber.caller, "a.csv", 10, "queued")
    for _ in range(2):
        tasks.cancel(task_id, subscriber.id, lambda *ids: None)
        tasks.resume(task_id, subscriber.id, lambda *ids: None)
    assert [(kind, data["status"]) for kind, data in events()] == [("task.stopped", "cancelled")] * 2


def test_failed_task_emits_once(subscriber: Person, events: Events) -> None:
    task_id, _ = tasks.create(subscriber.caller, "a.csv", 10, "queued")
    for _ in range(2):
        database.one("fail_task", id=task_id, error="The file does not exist.", announced=True)
    ((kind, data),) = events()
    assert (kind, data["error"]) == ("task.failed", "The file does not exist.")


def test_task_that_housekeeping_cancels_emits_that_it_stopped(
    sql: Sql, subscriber: Person, events: Events
) -> None:
    tasks.create(subscriber.caller, "a.csv", 10, "awaiting_upload")
    sql("UPDATE tasks SET updated_at = now() - interval '2 days'")
    expire.handler({}, LambdaContext(Function("expire", "", 300, 512)))
    assert [kind for kind, _ in events()] == ["task.stopped"]


def test_task_of_a_user_who_becomes_inactive_emits_that_it_stopped(
    subscriber: Person, events: Events
) -> None:
    tasks.create(subscriber.caller, "a.csv", 10, "queued")
    accounts.update_user(uuid4(), subscriber.id, {"status": "inactive"})
    assert [kind for kind, _ in events()] == ["task.stopped"]


def test_completed_export_emits_its_state(subscriber: Person, events: Events) -> None:
    export_id = UUID(json.loads(exports.create(subscriber.caller, "records", "csv", ""))["id"])
    assert database.one("claim_export", id=export_id, user_id=subscriber.id, redelivered=False)
    assert events() == []
    for _ in range(2):
        database.one("complete_export", id=export_id, rows=3, rows_before=0)
    ((kind, data),) = events()
    assert (kind, data["id"], data["status"], data["rows_done"]) == (
        "export.completed",
        str(export_id),
        "completed",
        3,
    )


def test_granted_credit_emits_the_ledger_entry_and_removed_credit_does_not(
    admin: Person, subscriber: Person, events: Events
) -> None:
    granted = json.loads(charges.grant(admin.caller, subscriber.id, Decimal(5), "gift", None).body)
    charges.grant(admin.caller, subscriber.id, Decimal(-5), "mistake", None)
    ((kind, data),) = events()
    assert (kind, data["id"], data["kind"], data["amount"]) == ("credit.granted", granted["id"], "grant", 5)
    assert data["reference"] == {"reason": "gift", "granted_by": str(admin.id)}


def test_replayed_grant_emits_nothing(admin: Person, subscriber: Person, events: Events) -> None:
    for _ in range(2):
        charges.grant(admin.caller, subscriber.id, Decimal(5), "gift", "the key")
    assert len(events()) == 1


def test_refunds_of_a_record_and_of_a_task_emit_their_ledger_entries(
    sql: Sql, admin: Person, subscriber: Person, events: Events
) -> None:
    record_id = UUID(json.loads(charge(subscriber).body)["record_id"])
    task_id = running_task(sql, subscriber)
    end_chunk(task_id, subscriber, "out_of_credit", spent=5)
    refunds.refund_record(admin.caller, record_id, "a mistake", database)
    refunds.refund_task(admin.caller, task_id, "a mistake", database)
    found = [(kind, data["amount"], data["reference"]) for kind, data in events()[1:]]
    reason = {"reason": "a mistake", "refunded_by": str(admin.id)}
    assert found == [
        ("record.refunded", 5, {"record_id": str(record_id), **reason}),
        ("record.refunded", 5, {"task_id": str(task_id), **reason}),
    ]


def test_only_the_charge_that_crosses_the_threshold_emits_a_low_balance(
    sql: Sql, admin: Person, subscriber: Person, events: Events
) -> None:
    set_threshold(sql, subscriber, 12)
    crossing = {"user_id": str(subscriber.id), "balance": 10, "low_balance_threshold": 12}
    charge(subscriber)
    assert events() == []
    charge(subscriber)
    charge(create_api_key(subscriber.id).credentials)
    assert events() == [("balance.low", crossing)]
    charges.grant(admin.caller, subscriber.id, Decimal(10), "gift", None)
    charge(create_api_key(subscriber.id).credentials)
    assert [kind for kind, _ in events()] == ["balance.low", "credit.granted", "balance.low"]
    assert events()[-1] == ("balance.low", crossing)


@pytest.mark.parametrize("threshold", [None, 15, 21])
def test_charge_that_does_not_cross_the_threshold_emits_nothing(
    sql: Sql, subscriber: Person, events: Events, threshold: int | None
) -> None:
    set_threshold(sql, subscriber, threshold)
    charge(subscriber)
    assert events() == []


def test_chunk_that_crosses_the_threshold_emits_one_low_balance(
    sql: Sql, subscriber: Person, events: Events
) -> None:
    set_threshold(sql, subscriber, 19)
    end_chunk(running_task(sql, subscriber), subscriber, "processing", spent=15)
    assert [(kind, data["balance"]) for kind, data in events()] == [("balance.low", 5)]


@pytest.mark.parametrize("how", ["grant", "balance"])
def test_admin_who_lowers_a_balance_below_the_threshold_emits_a_low_balance(
    sql: Sql, admin: Person, subscriber: Person, events: Events, how: str
) -> None:
    set_threshold(sql, subscriber, 12)
    if how == "grant":
        charges.grant(admin.caller, subscriber.id, Decimal(-10), "mistake", None)
    else:
        accounts.update_user(admin.id, subscriber.id, {"balance": Decimal(10)})
    assert [kind for kind, _ in events()] == ["balance.low"]


def test_rolled_back_charge_emits_nothing(
    sql: Sql, subscriber: Person, events: Events, another_uow: AnotherUow
) -> None:
    set_threshold(sql, subscriber, 18)
    uow = another_uow()
    hold_charge(uow, subscriber, "the key")
    uow.__exit__(None, None, None)
    assert events() == []
    charge(subscriber, "the key")
    assert len(events()) == 1


def cause_all(sql: Sql, admin: Person, subscriber: Person) -> None:
    """Cause each event once."""
    set_threshold(sql, subscriber, 18)
    record_id = UUID(json.loads(charge(subscriber).body)["record_id"])
    refunds.refund_record(admin.caller, record_id, "a mistake", database)
    charges.grant(admin.caller, subscriber.id, Decimal(5), "gift", None)
    for status in ("completed", "cancelled", "failed"):
        sql("UPDATE tasks SET status = :to WHERE id = :id", to=status, id=running_task(sql, subscriber))
    export_id = UUID(json.loads(exports.create(subscriber.caller, "records", "csv", ""))["id"])
    sql("UPDATE exports SET status = 'completed' WHERE id = :id", id=export_id)


@pytest.mark.parametrize("event", EVENTS)
def test_webhook_receives_only_the_events_that_it_is_subscribed_to(
    sql: Sql, admin: Person, client: Person, event: str
) -> None:
    webhook_id = subscribe(client.id, [event])
    cause_all(sql, admin, client)
    assert [kind for kind, _ in emitted(sql, client.id)] == [event]
    assert sql("SELECT webhook_id, status, attempts FROM webhook_deliveries") == [[webhook_id, "pending", 0]]


def test_every_event_has_the_data_that_the_openapi_document_describes(
    sql: Sql, admin: Person, client: Person
) -> None:
    webhook_id = subscribe(client.id)
    cause_all(sql, admin, client)
    webhooks.test(client.caller, webhook_id)
    found = emitted(sql, client.id)
    assert {kind for kind, _ in found} == set(DOCUMENTED)
    for kind, data in found:
        model, _, _ = DOCUMENTED[kind]
        assert sorted(data) == sorted(model.model_fields), kind
        model.model_validate(data)


@pytest.mark.parametrize("unfit", ["paused", "deleted", "another user's"])
def test_unfit_webhook_receives_nothing(sql: Sql, admin: Person, client: Person, unfit: str) -> None:
    webhook_id = subscribe(admin.id if unfit == "another user's" else client.id)
    if unfit == "paused":
        sql("UPDATE webhooks SET paused_at = now(), paused_reason = 'owner'")
    if unfit == "deleted":
        sql("UPDATE webhooks SET deleted_at = now() WHERE id = :id", id=webhook_id)
    cause_all(sql, admin, client)
    assert emitted(sql, client.id) == []
    assert sql("SELECT FROM webhook_events") == sql("SELECT FROM webhook_deliveries") == []


def test_event_for_two_webhooks_is_one_event_with_two_deliveries(sql: Sql, client: Person) -> None:
    subscribed = {subscribe(client.id), subscribe(client.id)}
    task_id, _ = tasks.create(client.caller, "a.csv", 10, "queued")
    tasks.cancel(task_id, client.id, lambda *ids: None)
    ((event_id,),) = sql("SELECT id FROM webhook_events")
    found = sql("SELECT webhook_id, event_id FROM webhook_deliveries")
    assert sorted(found) == sorted([[webhook_id, event_id] for webhook_id in subscribed])


def test_ids_are_of_version_7_and_ordered_by_time(sql: Sql) -> None:
    ids = [id for (id,) in sql("SELECT new_uuid7() FROM generate_series(1, 100)")]
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == 100
    ((age,),) = sql("SELECT abs(extract(epoch FROM clock_timestamp()) * 1000 - :ms)", ms=ids[-1].int >> 80)
    assert age < 60_000


def test_body_is_the_documented_json_with_all_digits_of_money(
    sql: Sql, admin: Person, subscriber: Person
) -> None:
    charges.grant(admin.caller, subscriber.id, Decimal("12345678901234.5678"), "gift", None)
    ((body, created),) = sql("SELECT body, rfc3339(created_at) FROM webhook_events")
    assert list(json.loads(body)) == ["type", "timestamp", "data"]
    assert json.loads(body)["timestamp"] == created
    assert '"amount" : 12345678901234.5678,' in body


@pytest.fixture
def queue(sql: Sql) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Return a function that starts an action on its own connection and waits until it blocks or ends."""
    with ThreadPoolExecutor(4) as pool:

        def start(action: Callable[[], Any]) -> Any:
            future = pool.submit(action)
            waiting = """SELECT 1 FROM pg_stat_activity
                         WHERE datname = current_database() AND wait_event_type = 'Lock'"""
            eventually(lambda: future.done() or sql(waiting))
            return future

        yield start


def test_events_of_a_user_have_the_order_of_their_commits(
    sql: Sql,
    subscriber: Person,
    another_uow: AnotherUow,
    queue: Callable[[Callable[[], Any]], Any],
    events: Events,
) -> None:
    """An export's completion locks no user, so the event does."""
    export_id = UUID(json.loads(exports.create(subscriber.caller, "records", "csv", ""))["id"])
    database.one("claim_export", id=export_id, user_id=subscriber.id, redelivered=False)
    task_id, _ = tasks.create(subscriber.caller, "a.csv", 10, "queued")
    first = another_uow()
    assert first.one("complete_export", id=export_id, rows=0, rows_before=0)
    second = queue(lambda: tasks.cancel(task_id, subscriber.id, lambda *ids: None))
    assert not second.done()
    first.commit()
    second.result(30)
    assert [kind for kind, _ in events()] == ["export.completed", "task.stopped"]


def test_charge_that_waited_for_a_deletion_emits_nothing(
    sql: Sql,
    subscriber: Person,
    another_uow: AnotherUow,
    queue: Callable[[Callable[[], Any]], Any],
    events: Events,
) -> None:
    set_threshold(sql, subscriber, 18)
    deleting = another_uow()
    users.lock(deleting, subscriber.id)
    charged = queue(lambda: charge(subscriber))
    deleting.one("delete_user", id=subscriber.id, admin_id=uuid4(), audit_id=uuid7())
    deleting.commit()
    with pytest.raises(NotSignedIn):
        charged.result(30)
    assert events() == []


def test_test_event_that_waited_for_another_event_is_the_later_one(
    subscriber: Person,
    another_uow: AnotherUow,
    queue: Callable[[Callable[[], Any]], Any],
    events: Events,
    sql: Sql,
) -> None:
    ((webhook_id,),) = sql("SELECT id FROM webhooks")
    first = another_uow()
    first.one("lock_webhook", id=webhook_id)
    tested = queue(lambda: webhooks.test(subscriber.caller, webhook_id))
    assert not tested.done()
    first.query("SELECT emit_event(:id::uuid, 'task.stopped', '{}')", {"id": subscriber.id})
    first.commit()
    tested.result(30)
    assert [kind for kind, _ in events()] == ["task.stopped", "webhook.test"]
    due = "SELECT type FROM webhook_deliveries ORDER BY next_attempt_at"
    assert sql(due) == [["task.stopped"], ["webhook.test"]]


@pytest.mark.parametrize("change", ["paused_at = now(), paused_reason = 'owner'", "deleted_at = now()"])
def test_event_that_waited_while_its_only_webhook_ended_is_not_written(
    sql: Sql,
    subscriber: Person,
    another_uow: AnotherUow,
    queue: Callable[[Callable[[], Any]], Any],
    change: str,
) -> None:
    """No event is written without a delivery."""
    holder = another_uow()
    users.lock(holder, subscriber.id)
    task_id, _ = tasks.create(subscriber.caller, "a.csv", 10, "queued")
    cancelled = queue(lambda: tasks.cancel(task_id, subscriber.id, lambda *ids: None))
    sql(f"UPDATE webhooks SET {change}")
    assert not cancelled.done()
    holder.commit()
    cancelled.result(30)
    assert sql("SELECT FROM webhook_events") == sql("SELECT FROM webhook_deliveries") == []


def test_webhook_created_while_an_event_waits_receives_it(
    sql: Sql, subscriber: Person, another_uow: AnotherUow, queue: Callable[[Callable[[], Any]], Any]
) -> None:
    holder = another_uow()
    users.lock(holder, subscriber.id)
    task_id, _ = tasks.create(subscriber.caller, "a.csv", 10, "queued")
    cancelled = queue(lambda: tasks.cancel(task_id, subscriber.id, lambda *ids: None))
    created = subscribe(subscriber.id)
    holder.commit()
    cancelled.result(30)
    assert [created] in sql("SELECT webhook_id FROM webhook_deliveries")
