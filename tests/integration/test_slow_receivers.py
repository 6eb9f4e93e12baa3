"""Slow receivers of one user: how many requests they occupy, and that others get their events meanwhile."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import UUID

import pytest

from shared import database, webhooks
from tests.integration.test_webhook_delivery import pump as pump
from tests.support.eventually import eventually
from tests.support.receiver import Receiver, status
from tests.support.users import Person, create_person, run_concurrently
from tests.support.webhook_pump import Pump
from tests.support.webhooks import subscribe
from webhooks import request
from webhooks.dispatcher import LEASES_PER_USER

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
WEBHOOKS = 10


@pytest.fixture
def quick() -> Iterator[Receiver]:
    with Receiver.running() as running:
        yield running


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """An event that lets the slow receiver respond."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def slow(release: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that responds when the test allows it."""
    monkeypatch.setattr(request, "TIME_LIMIT", 120.0)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        release.wait(120)
        status(200)(handler)

    with Receiver.running() as running:
        running.respond = respond
        yield running


@pytest.fixture
def busy(client: Person, slow: Receiver) -> Person:
    """A user with ten webhooks at the slow receiver."""
    for _ in range(WEBHOOKS):
        subscribe(client.id, url=slow.url)
    return client


def cause_event(person: Person) -> None:
    database.query("SELECT emit_event(:id::uuid, 'task.stopped', '{}')", {"id": person.id})


def leases(sql: Sql, person: Person) -> int:
    ((number,),) = sql(
        "SELECT count(*) FROM webhooks WHERE user_id = :id AND leased_until > now()", id=person.id
    )
    return int(number)


def test_user_gets_all_events_while_the_slow_receiver_of_another_user_holds_its_requests(
    sql: Sql, busy: Person, slow: Receiver, quick: Receiver, pump: Pump, release: threading.Event
) -> None:
    other = create_person()
    subscribe(other.id, url=quick.url)
    for _ in range(2):
        cause_event(busy)
    cause_event(other)
    with ThreadPoolExecutor(1) as pool:
        try:
            assert pump.dispatch() == LEASES_PER_USER + 1
            sending = pool.submit(pump.send)
            eventually(lambda: slow.connections == LEASES_PER_USER and len(quick.received) == 1)
            for number in (2, 3):
                eventually(lambda: pump.queues["report"])
                pump.record()
                cause_event(other)
                assert pump.dispatch() == 1
                pump.send()
                assert len(quick.received) == number
            assert not sending.done()
            assert slow.connections == leases(sql, busy) == LEASES_PER_USER
        finally:
            release.set()
    pump.record()
    pump.deliver()
    assert len(slow.received) == 2 * WEBHOOKS
    assert len(quick.received) == 3
    (happened,) = sql(
        "SELECT array_agg(id ORDER BY created_at) FROM webhook_events WHERE user_id = :id", id=busy.id
    )
    sent = sql(
        """SELECT array_agg(event_id ORDER BY sent_at)
           FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id
           WHERE user_id = :id GROUP BY webhook_id""",
        id=busy.id,
    )
    assert sent == [happened] * WEBHOOKS, "each webhook gets its events in order"


def test_user_with_deliveries_to_ten_webhooks_holds_three_requests(
    sql: Sql, busy: Person, pump: Pump, release: threading.Event
) -> None:
    release.set()
    cause_event(busy)
    assert [pump.dispatch(), pump.dispatch()] == [LEASES_PER_USER, 0]
    assert leases(sql, busy) == LEASES_PER_USER
    pump.send()
    (first, *others) = pump.take("report")
    pump.queues["report"] = [first]
    pump.record()
    assert pump.queues["dispatch"] == ["{}"], "another webhook of the user can get its request"
    assert pump.dispatch() == 1
    assert leases(sql, busy) == LEASES_PER_USER
    pump.queues["report"] = others
    pump.send()
    pump.record()
    assert pump.deliver() == WEBHOOKS - LEASES_PER_USER - 1
    assert sql("SELECT DISTINCT status FROM webhook_deliveries") == [["delivered"]]


def test_request_to_a_deleted_webhook_counts_until_it_ends(sql: Sql, busy: Person, pump: Pump) -> None:
    cause_event(busy)
    assert pump.dispatch() == LEASES_PER_USER
    for (webhook_id,) in sql("SELECT id FROM webhooks WHERE leased_until > now()"):
        webhooks.delete(busy.caller, UUID(str(webhook_id)))
    assert pump.dispatch() == 0


def test_parallel_dispatchers_respect_the_limit_of_a_user(sql: Sql, busy: Person, pump: Pump) -> None:
    cause_event(busy)
    assert sum(run_concurrently(4, lambda _: pump.dispatch())) == LEASES_PER_USER
    assert leases(sql, busy) == LEASES_PER_USER
