"""The delivery of events: claims, order, retries, pauses, rotation; a real database and real requests."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from deploy.serverless_file import Function
from functions.housekeeping import expire
from localstack.context import LambdaContext
from shared import accounts, database, tasks, users, webhooks
from shared.database import UnitOfWork
from shared.errors import Conflict, NotSignedIn, TooManyRequests
from tests.support.eventually import eventually
from tests.support.metric_lines import emitted
from tests.support.receiver import Receiver, status
from tests.support.users import Person, create_person, run_concurrently
from tests.support.webhook_pump import Pump
from tests.support.webhooks import SECRET, subscribe
from webhooks import dispatcher
from webhooks.backoff import ATTEMPTS_LIMIT, retry_delay
from webhooks.request import TIME_LIMIT

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.running() as running:
        yield running


@pytest.fixture
def pump(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Pump:
    return Pump(monkeypatch)


@pytest.fixture
def webhook(client: Person, receiver: Receiver) -> UUID:
    """A webhook of the client at the receiver."""
    return subscribe(client.id, url=receiver.url)


def cause_event(person: Person) -> UUID:
    """Cause an event of the type task.stopped, and return the task's id."""
    task_id, _ = tasks.create(person.caller, "a.csv", 10, "queued")
    tasks.cancel(task_id, person.id, lambda *ids: None)
    return task_id


def let_time_pass(sql: Sql, time: str) -> None:
    """Make everything older by a Postgres interval."""
    for table, columns in {
        "webhooks": (
            "failing_since",
            "not_before",
            "leased_until",
            "due_at",
            "paused_at",
        ),
        "webhook_deliveries": ("created_at", "next_attempt_at", "deadline", "ended_at"),
        "webhook_events": ("created_at",),
    }.items():
        sql(f"UPDATE {table} SET " + ", ".join(f"{name} = {name} - interval '{time}'" for name in columns))
    sql(
        "UPDATE webhooks SET previous_secrets = (SELECT jsonb_agg(jsonb_set(previous, '{expires_at}',"
        f" to_jsonb((previous ->> 'expires_at')::timestamptz - interval '{time}')) ORDER BY position)"
        " FROM jsonb_array_elements(previous_secrets) WITH ORDINALITY AS kept (previous, position))"
        " WHERE previous_secrets <> '[]'"
    )
    sql("UPDATE rate_limits SET tokens = 6")


def deliveries(sql: Sql) -> list[list[Any]]:
    return sql("SELECT status, attempts FROM webhook_deliveries ORDER BY created_at")


def attempts(sql: Sql) -> list[list[Any]]:
    return sql("SELECT status, response, error FROM webhook_attempts ORDER BY sent_at")


def test_event_reaches_the_receiver_signed_and_once(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    task_id = cause_event(client)
    assert pump.deliver() == 1
    (received,) = receiver.received
    body = Webhook(SECRET).verify(received.body, received.headers)
    assert (body["type"], body["data"]["id"]) == ("task.stopped", str(task_id))
    assert [[UUID(id)] for id in receiver.ids] == sql("SELECT id FROM webhook_events")
    assert received.headers["content-type"] == "application/json"
    assert deliveries(sql) == [["delivered", 1]]
    assert attempts(sql) == [[200, "ok", None]]
    let_time_pass(sql, "1 day")
    assert pump.deliver() == 0


def test_events_arrive_in_the_order_of_the_user(
    client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    caused = [str(cause_event(client)) for _ in range(5)]
    assert pump.deliver() == 5
    assert [json.loads(received.body)["data"]["id"] for received in receiver.received] == caused


def test_recorder_requests_the_next_dispatch_only_if_one_is_due(
    client: Person, webhook: UUID, pump: Pump
) -> None:
    for _ in range(2):
        cause_event(client)
    for requested in (["{}"], []):
        assert pump.dispatch() == 1
        pump.send()
        pump.record()
        assert pump.queues["dispatch"] == requested


def test_webhook_gets_one_request_at_a_time(client: Person, webhook: UUID, pump: Pump) -> None:
    for _ in range(2):
        cause_event(client)
    assert [pump.dispatch(), pump.dispatch()] == [1, 0]


def test_dispatcher_claims_more_webhooks_than_one_transaction_holds(
    sql: Sql, receiver: Receiver, pump: Pump
) -> None:
    for _ in range(dispatcher.CLAIMS_LIMIT * 2 + 1):
        person = create_person()
        subscribe(person.id, url=receiver.url)
        cause_event(person)
    assert pump.dispatch() == dispatcher.CLAIMS_LIMIT * 2 + 1
    assert sql("SELECT count(DISTINCT attempt_id) FROM webhooks") == [[dispatcher.CLAIMS_LIMIT * 2 + 1]]


def test_slow_or_dead_receiver_delays_no_other(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    """While the request to one webhook is under way, another webhook gets all its events."""
    slow = subscribe(client.id, url="https://slow.example.com")
    for _ in range(3):
        cause_event(client)
    assert pump.dispatch() == 2
    pump.queues["send"] = [it for it in pump.queues["send"] if json.loads(it)["webhook_id"] != str(slow)]
    pump.send()
    pump.record()
    assert pump.deliver() == 2
    assert len(receiver.received) == 3
    waiting = sql("SELECT attempts, status FROM webhook_deliveries WHERE webhook_id = :id", id=slow)
    assert waiting == [[0, "pending"]] * 3


def test_failed_attempt_is_tried_again_later_and_a_newer_event_does_not_wait_for_it(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500, b"oh no")
    first = cause_event(client)
    assert pump.deliver() == 1
    assert deliveries(sql) == [["pending", 1]]
    assert attempts(sql) == [[500, "oh no", None]]
    ((seconds,),) = sql("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM webhook_deliveries")
    assert 4 < seconds <= 5.5
    receiver.respond = status(204)
    let_time_pass(sql, "4 seconds")
    second = cause_event(client)
    let_time_pass(sql, "2 seconds")
    assert pump.deliver() == 2
    bodies = [json.loads(received.body)["data"]["id"] for received in receiver.received]
    assert bodies[0] == str(first)
    assert sorted(bodies[1:]) == sorted([str(first), str(second)])
    assert receiver.ids.count(receiver.ids[0]) == 2
    assert deliveries(sql) == [["delivered", 2], ["delivered", 1]]


def test_retry_has_a_new_time_and_signature_but_the_same_id(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.deliver()
    let_time_pass(sql, "10 seconds")
    pump.deliver()
    one, two = receiver.received
    assert (one.headers["webhook-id"], one.body) == (two.headers["webhook-id"], two.body)
    assert Webhook(SECRET).verify(two.body, two.headers)


@pytest.mark.parametrize("number", range(1, ATTEMPTS_LIMIT + 1))
def test_delay_grows_and_has_jitter(number: int) -> None:
    delays = {retry_delay(number) for _ in range(20)}
    if number == ATTEMPTS_LIMIT:
        assert delays == {None}
        return
    known = [delay for delay in delays if delay is not None]
    assert len(known) == 20
    assert max(known) <= 1.1 * min(known) * 1.001
    before = retry_delay(number - 1) if number > 1 else 0
    assert before is not None
    assert min(known) > before


def test_all_attempts_span_three_days() -> None:
    delays = [retry_delay(number) or 0 for number in range(1, ATTEMPTS_LIMIT)]
    assert timedelta(days=3) < timedelta(seconds=sum(delays)) < timedelta(days=3.6)


def test_receiver_can_ask_for_a_later_retry(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(429, Retry_After="3600")
    cause_event(client)
    cause_event(client)
    assert pump.deliver() == 1
    let_time_pass(sql, "50 minutes")
    assert pump.deliver() == 0
    let_time_pass(sql, "20 minutes")
    assert pump.deliver() >= 1


def fail_for(sql: Sql, pump: Pump, days: float) -> None:
    """Let the time pass and the attempts fail, hour by hour."""
    for _ in range(int(days * 24)):
        let_time_pass(sql, "1 hour")
        pump.deliver()


def test_webhook_that_fails_for_three_days_is_paused_and_gets_no_further_event(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.deliver()
    fail_for(sql, pump, 2.9)
    assert sql("SELECT paused_at FROM webhooks") == [[None]]
    fail_for(sql, pump, 0.9)
    assert sql("SELECT paused_reason, paused_at IS NOT NULL FROM webhooks") == [["failing", True]]
    assert deliveries(sql) == [["failed", ATTEMPTS_LIMIT]]
    cause_event(client)
    assert len(deliveries(sql)) == 1


def test_one_success_within_three_days_prevents_the_pause(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.deliver()
    fail_for(sql, pump, 2)
    receiver.respond = status(200)
    cause_event(client)
    pump.deliver()
    assert sql("SELECT failures, failing_since, not_before FROM webhooks") == [[0, None, None]]
    receiver.respond = status(500)
    cause_event(client)
    fail_for(sql, pump, 2.9)
    assert sql("SELECT paused_at FROM webhooks") == [[None]]


def set_status(person: Person, status: str) -> None:
    accounts.update_user(uuid4(), person.id, {"status": status})


@pytest.mark.parametrize("how", ["inactive user", "paused by its owner"])
def test_days_without_requests_do_not_count_as_failures(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump, how: str
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.deliver()
    if how == "inactive user":
        set_status(client, "inactive")
    else:
        webhooks.update(client.caller, webhook, {"paused": True})
    let_time_pass(sql, "73 hours")
    assert pump.deliver() == 0
    if how == "inactive user":
        set_status(client, "active")
    else:
        webhooks.update(client.caller, webhook, {"paused": False})
    assert pump.deliver() == 1
    health = "SELECT paused_at, failures, failing_since > now() - interval '1 hour' FROM webhooks"
    assert sql(health) == [[None, 1, True]]


def test_reactivation_ends_the_wait_after_a_failure(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(429, Retry_After="3600")
    cause_event(client)
    cause_event(client)
    pump.deliver()
    set_status(client, "inactive")
    set_status(client, "active")
    assert pump.deliver() == 1


def test_reactivation_resumes_no_paused_webhook(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(410)
    cause_event(client)
    pump.deliver()
    health = "SELECT paused_reason, failures, failing_since FROM webhooks"
    paused = sql(health)
    set_status(client, "inactive")
    set_status(client, "active")
    assert sql(health) == paused
    assert pump.deliver() == 0


def test_status_of_an_active_user_that_is_set_to_active_keeps_the_failures(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.deliver()
    set_status(client, "active")
    assert sql("SELECT failures, failing_since IS NOT NULL FROM webhooks") == [[1, True]]


def test_webhook_that_fails_gets_requests_more_and_more_rarely(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    """A dead receiver with many waiting events must not occupy the senders."""
    receiver.respond = status(500)
    sql("SELECT emit_event(:id, 'task.stopped', '{}') FROM generate_series(1, 30)", id=client.id)
    pauses = []
    for _ in range(10):
        let_time_pass(sql, "11 minutes")
        assert pump.dispatch() == 1
        pump.send()
        pump.record()
        ((seconds,),) = sql("SELECT extract(epoch FROM not_before - now())::float8 FROM webhooks")
        pauses.append(round(seconds))
        assert pump.dispatch() == 0
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_gone_receiver_is_paused_at_once(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(410)
    cause_event(client)
    pump.deliver()
    assert sql("SELECT paused_reason FROM webhooks") == [["gone"]]
    let_time_pass(sql, "1 day")
    assert pump.deliver() == 0


@pytest.mark.parametrize("code", [300, 301, 304, 308, 404])
def test_status_other_than_2xx_is_a_failure(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump, code: int
) -> None:
    receiver.respond = status(code)
    cause_event(client)
    pump.deliver()
    assert deliveries(sql) == [["pending", 1]]
    assert sql("SELECT failures, failing_since IS NOT NULL FROM webhooks") == [[1, True]]


@pytest.mark.parametrize("code", [410, 500])
def test_failure_of_the_old_url_does_not_count_against_the_new_one(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump, code: int
) -> None:
    receiver.respond = status(code)
    cause_event(client)
    pump.dispatch()
    with Receiver.running() as new:
        webhooks.update(client.caller, webhook, {"url": new.url})
        assert pump.dispatch() == 0, "a webhook gets one request at a time"
        pump.send()
        pump.record()
        health = "SELECT paused_at, failures, failing_since, not_before, leased_until FROM webhooks"
        assert sql(health) == [[None, 0, None, None, None]]
        assert deliveries(sql) == [["pending", 0]]
        assert attempts(sql) == [[code, "", None]]
        assert pump.queues["dispatch"] == ["{}"]
        assert pump.deliver() == 1
        assert new.ids == receiver.ids
    assert deliveries(sql) == [["delivered", 1]]


def test_success_of_the_old_url_ends_its_delivery_and_keeps_the_failures_of_the_new_one(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    pump.dispatch()
    pump.send()
    late = pump.take("report")
    webhooks.update(client.caller, webhook, {"url": "https://example.com"})
    sql("UPDATE webhooks SET failures = 2, failing_since = now(), not_before = now()")
    pump.queues["report"] = late
    pump.record()
    assert deliveries(sql) == [["delivered", 1]]
    assert sql("SELECT failures, failing_since IS NULL, not_before IS NULL FROM webhooks") == [
        [2, False, False]
    ]


def test_redelivery_during_the_last_attempt_is_sent_although_that_one_fails(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    sql("UPDATE webhook_deliveries SET attempts = :failed", failed=ATTEMPTS_LIMIT - 1)
    pump.dispatch()
    ((delivery_id,),) = sql("SELECT id FROM webhook_deliveries")
    webhooks.redeliver(client.caller, webhook, delivery_id)
    receiver.respond = status(500)
    pump.send()
    pump.record()
    assert deliveries(sql) == [["pending", 0]]
    let_time_pass(sql, "10 seconds")
    receiver.respond = status(200)
    assert pump.deliver() == 1
    assert deliveries(sql) == [["delivered", 1]]


def test_redelivery_of_a_waiting_delivery_keeps_the_order(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    caused = [str(cause_event(client)) for _ in range(2)]
    ((delivery_id,), _) = sql("SELECT id FROM webhook_deliveries ORDER BY created_at")
    webhooks.redeliver(client.caller, webhook, delivery_id)
    assert pump.deliver() == 2
    assert [json.loads(received.body)["data"]["id"] for received in receiver.received] == caused


def test_test_event_and_redelivery_at_the_same_time_do_not_deadlock(
    sql: Sql, client: Person, webhook: UUID, another_uow: Callable[[], UnitOfWork]
) -> None:
    """Both need the webhook's row and the user's tokens."""
    delivery_id = UUID(json.loads(webhooks.test(client.caller, webhook))["id"])
    holder = another_uow()
    holder.query("SELECT FROM rate_limits FOR UPDATE", {})
    with ThreadPoolExecutor(2) as pool:
        tested = pool.submit(webhooks.test, client.caller, webhook)
        eventually(lambda: sql(WAITING) == [[1]])
        redelivered = pool.submit(webhooks.redeliver, client.caller, webhook, delivery_id)
        eventually(lambda: sql(WAITING) == [[2]])
        holder.commit()
        tested.result(30)
        redelivered.result(30)
    assert len(deliveries(sql)) == 2


@pytest.mark.parametrize("change", ["paused", "deleted", "inactive user", "deleted user"])
def test_waiting_delivery_is_not_sent_to_a_webhook_that_may_get_none(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump, change: str
) -> None:
    cause_event(client)
    if change == "paused":
        sql("UPDATE webhooks SET paused_at = now(), paused_reason = 'owner'")
    if change == "deleted":
        sql("UPDATE webhooks SET deleted_at = now()")
    if change == "inactive user":
        accounts.update_user(uuid4(), client.id, {"status": "inactive"})
    if change == "deleted user":
        sql("UPDATE users SET deleted_at = now() WHERE id = :id", id=client.id)
    assert pump.deliver() == 0
    assert receiver.connections == 0


def test_waiting_delivery_is_sent_after_the_pause(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    accounts.update_user(uuid4(), client.id, {"status": "inactive"})
    assert pump.deliver() == 0
    accounts.update_user(uuid4(), client.id, {"status": "active"})
    assert pump.deliver() == 1


def rotate(person: Person, webhook: UUID) -> str:
    """Rotate the secret of a webhook, and return the new one."""
    return str(json.loads(webhooks.rotate_secret(person.caller, webhook))["secret"])


def previous_secret_expires_at(person: Person, webhook: UUID) -> datetime | None:
    """Return the time that a GET of the webhook shows."""
    row = database.one("webhook", id=webhook, user_id=person.id)
    assert row is not None
    shown = json.loads(row["body"])["previous_secret_expires_at"]
    return None if shown is None else datetime.fromisoformat(shown)


def signers(person: Person, receiver: Receiver, pump: Pump, secrets: list[str]) -> list[str]:
    """Cause an event, and return which of the secrets sign its request. No other secret may."""
    cause_event(person)
    pump.deliver()
    request = receiver.received[-1]
    event_id, moment = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    sent = request.headers["webhook-signature"].split(" ")
    signatures = {
        secret: Webhook(secret).sign(event_id, datetime.fromtimestamp(moment, UTC), request.body)
        for secret in secrets
    }
    assert set(sent) <= set(signatures.values())
    return [secret for secret, signature in signatures.items() if signature in sent]


def test_both_secrets_sign_until_the_previous_one_expires(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    assert previous_secret_expires_at(client, webhook) is None
    secrets = [SECRET, rotate(client, webhook)]
    assert signers(client, receiver, pump, secrets) == secrets
    let_time_pass(sql, "23 hours")
    assert signers(client, receiver, pump, secrets) == secrets
    assert previous_secret_expires_at(client, webhook) is not None
    let_time_pass(sql, "1 hour")
    assert signers(client, receiver, pump, secrets) == secrets[1:]
    assert previous_secret_expires_at(client, webhook) is None


def test_second_rotation_keeps_each_previous_secret_for_its_day(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    secrets = [SECRET, rotate(client, webhook)]
    first = previous_secret_expires_at(client, webhook)
    let_time_pass(sql, "10 hours")
    secrets.append(rotate(client, webhook))
    assert signers(client, receiver, pump, secrets) == secrets
    last = previous_secret_expires_at(client, webhook)
    assert first is not None
    assert last is not None
    assert last >= first  # the newest previous secret's day, not that of the oldest
    let_time_pass(sql, "14 hours")
    assert signers(client, receiver, pump, secrets) == secrets[1:]
    let_time_pass(sql, "10 hours")
    assert signers(client, receiver, pump, secrets) == secrets[2:]


def test_at_most_five_previous_secrets_sign(
    client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    secrets = [SECRET, *(rotate(client, webhook) for _ in range(7))]
    assert signers(client, receiver, pump, secrets) == secrets[-6:]


def test_parallel_rotations_keep_every_secret(sql: Sql, client: Person, webhook: UUID) -> None:
    rotated = run_concurrently(4, lambda _: rotate(client, webhook))
    ((secret, previous),) = sql("SELECT secret, previous_secrets FROM webhooks")
    assert {secret, *(kept["secret"] for kept in previous)} == {SECRET, *rotated}


def test_message_to_the_sender_has_no_secret(client: Person, webhook: UUID, pump: Pump) -> None:
    cause_event(client)
    pump.dispatch()
    (message,) = pump.queues["send"]
    assert "whsec_" not in message
    assert SECRET.removeprefix("whsec_") not in message


def test_lost_message_is_claimed_again_after_the_lease(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    assert pump.dispatch() == 1
    pump.queues["send"].clear()
    let_time_pass(sql, f"{dispatcher.LEASE_SECONDS - 5} seconds")
    assert pump.dispatch() == 0
    let_time_pass(sql, "10 seconds")
    assert pump.deliver() == 1
    assert deliveries(sql) == [["delivered", 1]]


def test_lost_messages_use_up_no_attempt(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    """Without a sender for an hour, a delivery still has all its attempts."""
    cause_event(client)
    for _ in range(ATTEMPTS_LIMIT + 2):
        assert pump.dispatch() == 1
        pump.queues["send"].clear()
        let_time_pass(sql, f"{dispatcher.LEASE_SECONDS + 5} seconds")
    receiver.respond = status(500)
    pump.deliver()
    assert deliveries(sql) == [["pending", 1]]
    ((seconds,),) = sql("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM webhook_deliveries")
    assert 4 < seconds <= 5.5


@pytest.mark.parametrize("seconds_left", [-60, TIME_LIMIT - 1])
def test_sender_drops_a_message_whose_lease_may_end_before_its_request(
    client: Person, receiver: Receiver, webhook: UUID, pump: Pump, seconds_left: float
) -> None:
    """Otherwise the next request might overlap it, and the receiver might reject the old signature."""
    cause_event(client)
    pump.dispatch()
    (message,) = pump.queues["send"]
    pump.queues["send"] = [json.dumps({**json.loads(message), "expires_at": time.time() + seconds_left})]
    assert pump.send() == []
    assert receiver.connections == 0
    assert pump.queues["report"] == []


def test_result_that_arrives_twice_is_recorded_once(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.dispatch()
    pump.send()
    pump.queues["report"] *= 2
    assert pump.record() == []
    assert len(attempts(sql)) == 1
    assert sql("SELECT failures FROM webhooks") == [[1]]


def test_metrics_count_what_has_changed(
    sql: Sql,
    client: Person,
    receiver: Receiver,
    webhook: UUID,
    pump: Pump,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cause_event(client)
    pump.dispatch()
    repeated = list(pump.queues["send"])
    pump.send()
    pump.queues["report"] *= 2
    pump.record()
    assert emitted(capsys) == [{"WebhooksDelivered": 1}]
    # Another attempt of the same delivery, which was claimed before the first one's result arrived.
    message = {**json.loads(repeated[0]), "attempt_id": str(uuid4())}
    pump.queues["send"] = [json.dumps(message)]
    pump.send()
    pump.record()
    assert len(attempts(sql)) == 2
    receiver.respond = status(410)
    cause_event(client)
    pump.dispatch()
    pump.send()
    pump.queues["report"] *= 2
    pump.record()
    assert emitted(capsys) == [{"WebhooksFailed": 1}, {"WebhooksPaused": 1}]


def test_late_success_ends_the_delivery_although_another_attempt_was_claimed(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    pump.dispatch()
    pump.send()
    late = pump.take("report")
    let_time_pass(sql, "10 minutes")
    assert pump.dispatch() == 1
    second = pump.take("send")
    pump.queues["report"] = late
    pump.record()
    assert deliveries(sql) == [["delivered", 1]]
    assert pump.dispatch() == 0
    pump.queues["send"] = second
    pump.send()
    pump.record()
    assert deliveries(sql) == [["delivered", 1]]
    assert sql("SELECT leased_until FROM webhooks") == [[None]]
    assert len(attempts(sql)) == 2


def test_late_failure_does_not_end_the_claim_of_the_next_attempt(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    pump.dispatch()
    pump.send()
    late = pump.take("report")
    let_time_pass(sql, "10 minutes")
    assert pump.dispatch() == 1
    pump.queues["report"] = late
    pump.record()
    assert sql("SELECT leased_until IS NOT NULL, attempt_id IS NOT NULL FROM webhooks") == [[True, True]]
    receiver.respond = status(200)
    pump.send()
    pump.record()
    assert deliveries(sql) == [["delivered", 1]]


def test_result_of_a_deleted_delivery_is_ignored(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    pump.dispatch()
    pump.send()
    sql("DELETE FROM webhook_deliveries")
    assert pump.record() == []
    assert attempts(sql) == []


def test_invalid_messages_are_reported_as_failed(pump: Pump) -> None:
    for message in ("", "[]", "{}", '{"attempt_id": 1}'):
        pump.queues["send"] = pump.queues["report"] = [message]
        assert pump.send() == [{"itemIdentifier": "0"}]
        pump.queues["report"] = [message]
        assert pump.record() == [{"itemIdentifier": "0"}]


def test_event_during_the_recording_of_a_result_is_sent(
    sql: Sql,
    client: Person,
    receiver: Receiver,
    webhook: UUID,
    pump: Pump,
    another_uow: Callable[[], UnitOfWork],
) -> None:
    """The recorder does not see the delivery, and finds that no other waits."""
    cause_event(client)
    pump.deliver()
    recorder = another_uow()
    recorder.one("lock_webhook", id=webhook)
    with ThreadPoolExecutor(1) as pool:
        caused = pool.submit(cause_event, client)
        eventually(lambda: sql(WAITING) == [[1]])
        assert recorder.one("schedule_webhooks", ids=[webhook]) == {"is_due": False}
        recorder.commit()
        caused.result(30)
    assert pump.deliver() == 1


def test_dispatcher_reads_a_webhook_without_a_due_delivery_once(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    sql("UPDATE webhooks SET due_at = '-infinity'")
    assert pump.dispatch() == 0
    assert sql("SELECT due_at FROM webhooks") == [[None]]
    receiver.respond = status(500)
    cause_event(client)
    pump.deliver()
    sql("UPDATE webhooks SET due_at = '-infinity'")
    assert pump.dispatch() == 0
    assert sql("SELECT due_at > now() FROM webhooks") == [[True]]


def test_two_dispatchers_claim_different_webhooks(
    sql: Sql, client: Person, webhook: UUID, another_uow: Callable[[], UnitOfWork]
) -> None:
    cause_event(client)
    one, two = another_uow(), another_uow()
    assert len(one.run("claim_deliveries", row_limit=10, lease=240, lease_limit=3)) == 1
    assert two.run("claim_deliveries", row_limit=10, lease=240, lease_limit=3) == []
    one.commit()
    two.commit()
    assert database.run("claim_deliveries", row_limit=10, lease=240, lease_limit=3) == []


def test_housekeeping_deletes_events_after_30_days_and_gives_up_after_4(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    pump.deliver()
    sql("UPDATE webhooks SET paused_at = now(), paused_reason = 'owner'")
    sql("UPDATE webhook_deliveries SET status = 'pending'")
    let_time_pass(sql, "3 days 23 hours")
    assert housekeep() == 0
    let_time_pass(sql, "2 hours")
    assert housekeep() == 1
    assert deliveries(sql) == [["failed", 1]]
    let_time_pass(sql, "25 days")
    assert housekeep() == 0
    let_time_pass(sql, "2 days")
    assert housekeep() == 1
    assert deliveries(sql) == attempts(sql) == sql("SELECT FROM webhook_events") == []
    assert sql("SELECT id FROM webhooks") == [[webhook]]


def test_housekeeping_deletes_a_deleted_webhook_after_its_deliveries(
    sql: Sql, client: Person, webhook: UUID
) -> None:
    cause_event(client)
    webhooks.delete(client.caller, webhook)
    sql("UPDATE webhooks SET deleted_at = now() - interval '40 days'")
    housekeep()
    assert sql("SELECT id FROM webhooks") == [[webhook]]
    let_time_pass(sql, "31 days")
    for _ in range(3):
        housekeep()
    assert sql("SELECT id FROM webhooks") == sql("SELECT FROM webhook_deliveries") == []


def test_user_who_creates_and_deletes_webhooks_is_throttled_and_leaves_no_rows(
    sql: Sql, client: Person
) -> None:
    wanted = {"url": "https://example.com", "events": ["task.failed"], "description": None}
    for _ in range(webhooks.CREATIONS_AT_ONCE):
        created = json.loads(webhooks.create(client.credentials, client.id, wanted))
        webhooks.delete(client.caller, UUID(created["id"]))
    with pytest.raises(TooManyRequests):
        webhooks.create(client.credentials, client.id, wanted)
    assert housekeep() == 0
    sql("UPDATE webhooks SET deleted_at = deleted_at - interval '1 hour'")
    assert housekeep() == webhooks.CREATIONS_AT_ONCE
    assert sql("SELECT FROM webhooks") == []


def housekeep() -> int:
    """Run the hourly cleanup, and return how many rows of webhooks it changed."""
    context = LambdaContext(Function("expire", "", 300, 512))
    return expire.handler({}, context)["expire_webhook_events"]


SECRETS = "SELECT deleted_at IS NOT NULL, secret, previous_secrets FROM webhooks"


def test_webhooks_of_a_deleted_user_are_deleted_with_their_secrets(
    sql: Sql, client: Person, webhook: UUID
) -> None:
    rotate(client, webhook)
    users.delete(client.id, uuid4())
    assert sql(SECRETS) == [[True, "", []]]


def test_webhook_that_is_deleted_during_a_request_keeps_no_secret(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    rotate(client, webhook)
    cause_event(client)
    pump.dispatch()
    webhooks.delete(client.caller, webhook)
    assert sql(SECRETS) == [[True, "", []]]
    pump.send()
    pump.record()
    (received,) = receiver.received
    assert Webhook(SECRET).verify(received.body, received.headers)
    assert deliveries(sql) == [["delivered", 1]]


def test_webhook_created_while_its_user_is_deleted_does_not_survive(
    sql: Sql, client: Person, another_uow: Callable[[], UnitOfWork]
) -> None:
    holder = another_uow()
    users.lock(holder, client.id)
    with ThreadPoolExecutor(2) as pool:

        def create() -> str:
            wanted = {"url": "https://example.com", "events": ["task.failed"], "description": None}
            return webhooks.create(client.credentials, client.id, wanted)

        deleted = pool.submit(users.delete, client.id, uuid4())
        eventually(lambda: sql(WAITING) >= [[1]])
        created = pool.submit(create)
        eventually(lambda: sql(WAITING) >= [[2]])
        holder.commit()
        deleted.result(30)
        with pytest.raises(NotSignedIn):
            created.result(30)
    assert sql("SELECT FROM webhooks WHERE deleted_at IS NULL") == []


WAITING = """SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def test_parallel_creations_respect_the_limit_of_webhooks(sql: Sql, client: Person) -> None:
    for _ in range(8):
        subscribe(client.id)

    def create(_: int) -> bool:
        wanted = {"url": "https://example.com", "events": ["task.failed"], "description": None}
        try:
            webhooks.create(client.credentials, client.id, wanted)
        except Conflict:
            return False
        return True

    assert sum(run_concurrently(6, create)) == 2
