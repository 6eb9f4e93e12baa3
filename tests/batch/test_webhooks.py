"""Webhooks whose functions are killed at each step: each event arrives, and none that did not happen."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from localstack.event_source import failed_messages, record
from shared import aws
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.processes import WorkerDied, WorkerProcess
from tests.support.batch.stage import AFTER, BEFORE, DURING, Fault
from tests.support.eventually import eventually
from tests.support.receiver import Receiver, status
from tests.support.users import Person
from tests.support.webhooks import SECRET, subscribe

DISPATCHER, SENDER, RECORDER = (f"webhooks.{name}.handler" for name in ("dispatcher", "sender", "recorder"))
QUEUES = {SENDER: "SEND_QUEUE_URL", RECORDER: "REPORT_QUEUE_URL"}
ARN = "arn:aws:sqs:us-east-1:000000000000:queue"


class Chain:
    """The three functions with the real database and queues, in processes that a test can kill."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._processes = dict[str, WorkerProcess]()
        for name in ("DISPATCH_QUEUE_URL", *QUEUES.values()):
            harness.cloud.sqs.purge_queue(QueueUrl=harness.environment[name])
        harness.sql("UPDATE webhooks SET deleted_at = now()")

    def close(self) -> None:
        for process in self._processes.values():
            process.close()

    def process(self, handler: str) -> WorkerProcess:
        if handler not in self._processes:
            self._processes[handler] = WorkerProcess(self._harness.proxied_environment, {}, handler)
        return self._processes[handler]

    def run(self, handler: str) -> str:
        """Run a function once with all its messages. Return `done`, `failed` or `died`."""
        messages = self._receive(handler)
        if handler in QUEUES and not messages:
            return "done"
        event = {"Records": [record(message, ARN, "us-east-1") for message in messages]}
        ids = {message["MessageId"] for message in messages}
        try:
            response = self.process(handler).handle(event, 60)
            failed = failed_messages(response, ids)
        except WorkerDied:
            self._processes.pop(handler).close()
            failed = ids
            self._settle(handler, messages, failed)
            return "died"
        self._settle(handler, messages, failed)
        return "failed" if failed else "done"

    def kill_at(self, handler: str, step: str, moment: str) -> None:
        """Kill a function at a step of its traffic, and check that it died."""
        process = self.process(handler)
        self._harness.stage.expect(Fault(step, moment, lambda: bool(process.kill())))
        assert self.run(handler) == "died"
        self._harness.stage.expect(None)

    def until_idle(self) -> None:
        """Run all three, with the leases of lost messages ended, until no delivery is due."""
        ended = "UPDATE webhooks SET leased_until = now(), due_at = now() WHERE leased_until IS NOT NULL"
        for _ in range(20):
            self._harness.sql(ended)
            for handler in (DISPATCHER, SENDER, RECORDER):
                assert self.run(handler) == "done"
            due = "SELECT FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id"
            if not self._harness.sql(f"{due} WHERE d.status = 'pending' AND w.deleted_at IS NULL"):
                return
        raise AssertionError("deliveries are still pending")

    def _receive(self, handler: str) -> list[Any]:
        if handler not in QUEUES:
            return []
        return list(
            self._harness.cloud.sqs.receive_message(
                QueueUrl=self._harness.environment[QUEUES[handler]],
                MaxNumberOfMessages=10,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
        )

    def _settle(self, handler: str, messages: list[Any], failed: set[str]) -> None:
        """Delete the messages that are done, and make the others visible again."""
        for message in messages:
            found = {
                "QueueUrl": self._harness.environment[QUEUES[handler]],
                "ReceiptHandle": message["ReceiptHandle"],
            }
            if message["MessageId"] in failed:
                self._harness.cloud.sqs.change_message_visibility(**found, VisibilityTimeout=0)
            else:
                self._harness.cloud.sqs.delete_message(**found)


@pytest.fixture
def chain(harness: Harness) -> Iterator[Chain]:
    created = Chain(harness)
    yield created
    created.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.running() as running:
        yield running


@pytest.fixture
def owner(harness: Harness, receiver: Receiver, chain: Chain) -> Person:
    """A client with a webhook for all events."""
    owner = harness.client()
    subscribe(owner.id, url=receiver.url)
    return owner


def cause_events(harness: Harness, owner: Person, count: int) -> None:
    for number in range(count):
        harness.sql(
            "SELECT emit_event(:id, 'task.stopped', json_build_object('number', CAST(:number AS int)))",
            id=owner.id,
            number=number,
        )


def events(harness: Harness, owner: Person) -> list[str]:
    rows = harness.sql(
        "SELECT id::text FROM webhook_events WHERE user_id = :id ORDER BY created_at", id=owner.id
    )
    return [id for (id,) in rows]


STEPS = [
    (DISPATCHER, "begin", BEFORE),
    (DISPATCHER, "claim_deliveries", DURING),
    (DISPATCHER, "claim_deliveries", AFTER),
    (DISPATCHER, "commit", BEFORE),
    (DISPATCHER, "commit", DURING),
    (DISPATCHER, "commit", AFTER),
    (DISPATCHER, "queue", BEFORE),
    (DISPATCHER, "queue", DURING),
    (DISPATCHER, "queue", AFTER),
    (SENDER, "queue", BEFORE),
    (SENDER, "queue", DURING),
    (SENDER, "queue", AFTER),
    (RECORDER, "lock_webhook", BEFORE),
    (RECORDER, "lock_webhook", AFTER),
    (RECORDER, "record_attempt", DURING),
    (RECORDER, "record_attempt", AFTER),
    (RECORDER, "schedule_webhooks", AFTER),
    (RECORDER, "commit", BEFORE),
    (RECORDER, "commit", DURING),
    (RECORDER, "commit", AFTER),
]
"""Each step of the traffic of the three functions."""


@pytest.mark.parametrize(("handler", "step", "moment"), STEPS, ids=lambda one: one.replace("webhooks.", ""))
def test_every_event_arrives_although_a_function_is_killed(
    harness: Harness,
    chain: Chain,
    owner: Person,
    receiver: Receiver,
    handler: str,
    step: str,
    moment: str,
) -> None:
    cause_events(harness, owner, 3)
    for before in (DISPATCHER, SENDER, RECORDER):
        if before == handler:
            chain.kill_at(handler, step, moment)
            break
        assert chain.run(before) == "done"
    chain.until_idle()
    happened = events(harness, owner)
    assert set(receiver.ids) == set(happened)
    assert list(dict.fromkeys(receiver.ids)) == happened, "the first attempts keep the order"
    # Its message is delivered again, and its lease ends.
    assert len(receiver.ids) <= len(happened) + 2, "a kill repeats only the request under way"
    found = harness.sql("SELECT status FROM webhook_deliveries WHERE user_id = :id", id=owner.id)
    assert found == [["delivered"]] * 3
    for received in receiver.received:
        Webhook(SECRET).verify(received.body, received.headers)


@pytest.mark.parametrize("moment", [BEFORE, DURING, AFTER])
def test_event_arrives_once_although_the_dispatcher_is_killed_while_it_releases_its_claim(
    harness: Harness, chain: Chain, owner: Person, receiver: Receiver, moment: str
) -> None:
    cause_events(harness, owner, 1)
    calls = aws.ATTEMPTS
    killed = Fault("release_delivery", moment, lambda: bool(chain.process(DISPATCHER).kill()))

    def refuse() -> bool:
        """Refuse each attempt of the call of SQS, and expect the release that follows it."""
        nonlocal calls
        calls -= 1
        if not calls:
            harness.stage.expect(killed)
        return False

    harness.stage.expect(Fault("queue", BEFORE, refuse, times=aws.ATTEMPTS))
    assert chain.run(DISPATCHER) == "died"
    harness.stage.expect(None)
    assert killed.struck == 1
    chain.until_idle()
    assert receiver.ids == events(harness, owner)


def test_sender_killed_during_its_request_repeats_it(
    harness: Harness, chain: Chain, owner: Person, receiver: Receiver
) -> None:
    cause_events(harness, owner, 1)
    assert chain.run(DISPATCHER) == "done"
    sender = chain.process(SENDER)
    receiver.respond = lambda _: sender.kill()
    assert chain.run(SENDER) == "died"
    receiver.respond = status(200)
    chain.until_idle()
    assert [*set(receiver.ids)] == events(harness, owner)
    assert len(receiver.ids) >= 2


@pytest.mark.parametrize(
    ("step", "moment", "has_ended"),
    [
        ("complete_task", BEFORE, False),
        ("complete_task", AFTER, True),
        ("delivery_is_due", AFTER, True),
    ],
)
def test_worker_killed_at_the_end_of_a_task_neither_loses_nor_invents_its_event(
    harness: Harness,
    chain: Chain,
    owner: Person,
    receiver: Receiver,
    deliveries_with: Callable[..., Deliveries],
    step: str,
    moment: str,
    has_ended: bool,
) -> None:
    task = harness.upload(owner, mixed_file(40, seed=5))
    deliveries = deliveries_with(overrides={})
    worker = deliveries.worker()
    harness.stage.expect(Fault(step, moment, lambda: bool(worker.kill())))
    message = eventually(deliveries.receive)
    assert deliveries.deliver(message, worker) == "died"
    deliveries.settle(message, "died")
    harness.stage.expect(None)
    assert len(events(harness, owner)) == has_ended
    harness.sql("UPDATE tasks SET has_worker = false WHERE has_worker")
    deliveries.until_idle()
    chain.until_idle()
    assert_one_completion(harness, owner, receiver, task)


def assert_one_completion(harness: Harness, owner: Person, receiver: Receiver, task: Task) -> None:
    assert harness.state(task)["status"] == "completed"
    happened = events(harness, owner)
    assert set(receiver.ids) == set(happened)
    (body,) = {received.body for received in receiver.received}
    event = json.loads(body)
    assert (event["type"], UUID(event["data"]["id"])) == ("task.completed", task.id)
