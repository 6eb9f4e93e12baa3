"""SQS fails while the dispatcher sends deliveries: no caller waits, and each delivery is claimed again."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ReadTimeoutError

from shared import database
from shared.errors import ServiceUnavailable
from tests.integration.test_webhook_delivery import (
    attempts,
    cause_event,
    deliveries,
    let_time_pass,
)
from tests.integration.test_webhook_delivery import pump as pump
from tests.integration.test_webhook_delivery import receiver as receiver
from tests.integration.test_webhook_delivery import webhook as webhook
from tests.support.charging import charge
from tests.support.receiver import Receiver, status
from tests.support.users import Person, create_person
from tests.support.webhook_pump import Pump
from tests.support.webhooks import emitted, subscribe

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]

CLAIM = "SELECT attempt_id, leased_until > now(), due_at > now() FROM webhooks"


def time_out(**_: Any) -> dict[str, Any]:
    """Fail like the SQS client if SQS does not respond."""
    raise ReadTimeoutError(endpoint_url="https://sqs.example.com")


def lost_response(pump: Pump) -> Callable[..., dict[str, Any]]:
    """Return a method that queues the messages, and then fails."""

    def queue(**batch: Any) -> dict[str, Any]:
        pump.queue(**batch)
        return time_out()

    return queue


def fail_to_dispatch(pump: Pump, send_message_batch: Callable[..., dict[str, Any]]) -> None:
    """Run the dispatcher with a method of SQS that fails."""
    pump.sqs.send_message_batch = send_message_batch
    with pytest.raises(ServiceUnavailable):
        pump.dispatch()
    pump.sqs.send_message_batch = pump.queue


@contextmanager
def hanging_dispatch(pump: Pump) -> Iterator[Future[int]]:
    """Run the dispatcher, whose call of SQS hangs during the block and then fails."""
    has_called, may_fail = threading.Event(), threading.Event()

    def hang(**_: Any) -> dict[str, Any]:
        has_called.set()
        may_fail.wait(60)
        return time_out()

    pump.sqs.send_message_batch = hang
    with ThreadPoolExecutor(1) as pool:
        dispatched = pool.submit(pump.dispatch)
        try:
            assert has_called.wait(30)
            pump.sqs.send_message_batch = pump.queue
            yield dispatched
        finally:
            may_fail.set()
        with pytest.raises(ServiceUnavailable):
            dispatched.result(30)


def test_charge_that_emits_an_event_does_not_wait_for_sqs(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    sql("UPDATE users SET low_balance_threshold = 18")
    cause_event(client)
    with hanging_dispatch(pump) as dispatched, database.statement_timeout(5):
        charge(client)
        assert not dispatched.done()
    assert [kind for kind, _ in emitted(sql, client.id)] == ["task.stopped", "balance.low"]
    assert pump.deliver() == 2
    assert [json.loads(received.body)["type"] for received in receiver.received] == [
        "task.stopped",
        "balance.low",
    ]


def test_delivery_whose_message_was_not_sent_is_claimed_again_at_once(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    fail_to_dispatch(pump, time_out)
    assert deliveries(sql) == [["pending", 0]]
    assert pump.dispatch() == 1
    (message,) = pump.queues["send"]
    assert json.loads(message)["number"] == 1
    pump.send()
    pump.record()
    assert deliveries(sql) == [["delivered", 1]]
    assert len(receiver.received) == len(attempts(sql)) == 1


def test_message_that_sqs_rejects_is_sent_again_and_no_other(
    sql: Sql, client: Person, receiver: Receiver, pump: Pump
) -> None:
    def reject_the_second(**batch: Any) -> dict[str, Any]:
        first, second, third = batch["Entries"]
        pump.queue(QueueUrl=batch["QueueUrl"], Entries=[first, third])
        return {"Failed": [{"Id": second["Id"], "Code": "InternalError", "SenderFault": False}]}

    for _ in range(3):
        subscribe(client.id, url=receiver.url)
    cause_event(client)
    fail_to_dispatch(pump, reject_the_second)
    assert len(pump.queues["send"]) == 2
    assert pump.dispatch() == 1
    messages = [json.loads(message) for message in pump.queues["send"]]
    assert len({message["webhook_id"] for message in messages}) == 3
    pump.send()
    pump.record()
    assert deliveries(sql) == [["delivered", 1]] * 3


def test_failed_dispatch_leaves_a_newer_claim_alone(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    cause_event(client)
    with hanging_dispatch(pump):
        let_time_pass(sql, "10 minutes")
        assert pump.dispatch() == 1
        ((attempt_id, *claimed),) = sql(CLAIM)
    assert sql(CLAIM) == [[attempt_id, *claimed]]
    assert claimed == [True, True]
    assert pump.dispatch() == 0


def test_failed_dispatch_leaves_a_recorded_attempt_alone(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    """SQS queued the message, and its result arrives before the call of SQS fails."""

    def queue_and_record(**batch: Any) -> dict[str, Any]:
        pump.sqs.send_message_batch = pump.queue
        pump.queue(**batch)
        pump.send()
        pump.record()
        return time_out()

    cause_event(client)
    fail_to_dispatch(pump, queue_and_record)
    assert deliveries(sql) == [["delivered", 1]]
    assert sql("SELECT attempt_id, leased_until, due_at FROM webhooks") == [[None, None, None]]


@pytest.mark.parametrize(("code", "expected"), [(200, ["delivered", 1]), (500, ["pending", 1])])
def test_attempt_counts_although_the_response_of_sqs_was_lost(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump, code: int, expected: list[Any]
) -> None:
    receiver.respond = status(code)
    cause_event(client)
    fail_to_dispatch(pump, lost_response(pump))
    pump.send()
    pump.record()
    assert deliveries(sql) == [expected]
    assert pump.dispatch() == 0


def test_failure_of_a_released_attempt_does_not_count_for_the_next_one(
    sql: Sql, client: Person, receiver: Receiver, webhook: UUID, pump: Pump
) -> None:
    receiver.respond = status(500)
    cause_event(client)
    fail_to_dispatch(pump, lost_response(pump))
    released = pump.take("send")
    assert pump.dispatch() == 1
    current = pump.take("send")
    pump.queues["send"] = released
    pump.send()
    pump.record()
    assert deliveries(sql) == [["pending", 0]]
    assert sql("SELECT leased_until > now() FROM webhooks") == [[True]]
    pump.queues["send"] = current
    pump.send()
    pump.record()
    assert deliveries(sql) == [["pending", 1]]
    assert len(attempts(sql)) == 2


def test_failure_of_sqs_releases_the_claims_of_all_users(sql: Sql, receiver: Receiver, pump: Pump) -> None:
    for _ in range(4):
        person = create_person()
        subscribe(person.id, url=receiver.url)
        cause_event(person)
    fail_to_dispatch(pump, time_out)
    assert pump.dispatch() == 4
