"""Waiting survives an outage of the service, and ends when there is nothing more to wait for."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from restcalc import Client, RestcalcError, Unreachable, WaitTimeout, waiting
from restcalc._sync import connection, waits
from tests.support.declared_routes import DOCUMENT
from tests.support.documented_client import instance

ID = UUID(int=1)
NOT_FOUND = httpx.Response(404, json={"type": "/problems/not-found", "detail": "The results expired."})
REFUSED = httpx.ConnectError("refused")


class Clock:
    """A clock that only pauses advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    for module in (connection, waits):
        monkeypatch.setattr(module, "sleep", clock.sleep)
    return clock


def resource(name: str, **members: Any) -> httpx.Response:
    """Return an example of a schema with other members."""
    return httpx.Response(200, json=instance(DOCUMENT["components"]["schemas"][name]) | members)


PROCESSING = resource("Task", status="processing", finished_at=None, results=None)
COMPLETED = resource("Task", status="completed")


def script(*responses: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """Return a service that answers with these responses, one after another."""
    left: Iterator[httpx.Response | Exception] = iter(responses)

    def respond(request: httpx.Request) -> httpx.Response:
        response = next(left)
        if isinstance(response, Exception):
            raise response
        return response

    return respond


def test_outage_of_some_minutes_does_not_end_the_waiting(stub: Callable[..., Client], clock: Clock) -> None:
    seen = list[str]()
    client = stub(script(PROCESSING, *[REFUSED] * 100, COMPLETED))
    client.wait(ID, on_change=lambda task: seen.append(task.status))
    assert seen == ["processing", "completed"]
    assert 60 < clock.now < 300


def test_outage_that_does_not_end_is_raised(stub: Callable[..., Client], clock: Clock) -> None:
    with pytest.raises(Unreachable):
        stub(script(PROCESSING, *[REFUSED] * 1000)).wait(ID)
    assert 300 < clock.now < 330


@pytest.mark.parametrize(
    "responses", [[PROCESSING] * 100, [PROCESSING, *[REFUSED] * 100]], ids=["slow", "down"]
)
def test_waiting_ends_after_its_timeout(
    stub: Callable[..., Client], clock: Clock, responses: list[httpx.Response | Exception]
) -> None:
    with pytest.raises((WaitTimeout, Unreachable)):
        stub(script(*responses)).wait(ID, timeout=30)
    assert 30 <= clock.now < 50


def test_error_that_does_not_pass_ends_the_waiting(stub: Callable[..., Client]) -> None:
    with pytest.raises(RestcalcError, match="expired"):
        stub(script(PROCESSING, NOT_FOUND)).wait(ID)


def test_intervals_grow(stub: Callable[..., Client], clock: Clock) -> None:
    stub(script(*[PROCESSING] * 20, COMPLETED)).wait(ID)
    assert 20 < clock.now < 40


def test_results_are_awaited_unless_they_have_expired(stub: Callable[..., Client]) -> None:
    now = datetime.now(UTC).isoformat()
    unwritten = resource("Task", status="completed", results=None, finished_at=now)
    old = resource("Task", status="completed", results=None, finished_at="2026-01-01T00:00:00Z")
    assert stub(script(unwritten, unwritten, COMPLETED)).wait(ID).results
    assert stub(script(old, NOT_FOUND)).wait(ID).results is None


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"status": "failed", "error": "The user was deactivated.", "url": None}, "failed: The user was"),
        ({"status": "completed", "error": None, "url": None}, "expired. Create the export again"),
        ({"status": "queued", "error": None, "url": None, "finished_at": None}, "queued: wait until"),
    ],
    ids=["failed", "expired", "queued"],
)
def test_export_without_a_file_says_why(
    stub: Callable[..., Client], members: dict[str, Any], text: str, tmp_path: Any
) -> None:
    with pytest.raises(RestcalcError, match=text):
        stub(script(resource("ExportWithLink", **members))).download_export(ID, tmp_path / "export.csv")
