"""The worker's response to its messages: which ones failed, when SQS retries them, and what it enqueues."""

from typing import Any
from uuid import UUID

import pytest

from shared import aws, database
from shared.errors import ServiceUnavailable
from worker import handler
from worker.batch import End
from worker.messages import Upload

KEY = "uploads/0190d7a6-3f5e-7c3a-9b1e-0123456789ab/0190d7a6-3f5e-7c3a-9b1e-ba9876543210.csv"
GOOD = f'{{"Records": [{{"s3": {{"object": {{"key": "{KEY}"}}}}}}]}}'
ANNOUNCED = GOOD.replace('{"s3"', '{"eventSource": "aws:s3", "s3"')
OWNER = UUID(KEY.split("/")[1])
NEXT = UUID("0190d7a6-3f5e-7c3a-9b1e-000000000001")
NEXT_KEY = f"uploads/{OWNER}/{NEXT}.csv"


class FakeUnitOfWork:
    """A transaction in which no message of a task is under way."""

    def __enter__(self) -> "FakeUnitOfWork":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def one(self, statement: str, /, *, id: UUID) -> dict[str, object]:
        assert statement == "claim_message"
        return {"id": id}

    def commit(self) -> None:
        pass


class Queue:
    """Record the worker's calls of SQS."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.visibility_changes = list[tuple[str, int]]()
        self.sent = list[str]()
        monkeypatch.setattr(
            aws, "set_visibility_timeout", lambda *arguments: self.visibility_changes.append(arguments)
        )
        monkeypatch.setattr(aws, "enqueue", self.sent.append)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(monkeypatch)


def record(body: str, number: int = 1, received: int = 1) -> dict[str, Any]:
    return {
        "messageId": f"message {number}",
        "receiptHandle": f"receipt {number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(received)},
    }


def failed(*records: dict[str, Any]) -> list[str]:
    response = handler.handler({"Records": list(records)}, None)
    return [item["itemIdentifier"] for item in response["batchItemFailures"]]


def stub_run_task(
    monkeypatch: pytest.MonkeyPatch,
    end: End | Exception,
    results_are_written: bool = True,
    has_due_delivery: bool = False,
) -> None:
    """Make each task end like this. Another task of its owner waits."""

    def run_task(upload: Upload, redelivered: bool, out_of_time: object) -> End:
        if isinstance(end, Exception):
            raise end
        assert upload.user_id == OWNER
        return end

    def one(statement: str, /, **parameters: object) -> dict[str, object]:
        assert (statement, parameters) == ("next_task", {"user_id": OWNER})
        return {"id": NEXT}

    def only(statement: str, /, **parameters: object) -> dict[str, object]:
        assert (statement, parameters) == ("delivery_is_due", {"user_id": OWNER})
        return {"is_due": has_due_delivery}

    monkeypatch.setattr(handler, "run_task", run_task)
    monkeypatch.setattr(database, "only", only)
    monkeypatch.setattr(handler, "write_results_of_ended_task", lambda *_: results_are_written)
    monkeypatch.setattr(database, "one", one)
    monkeypatch.setattr(handler, "UnitOfWork", FakeUnitOfWork)


@pytest.mark.parametrize(
    ("end", "sent"),
    [
        (End.COMPLETED, [NEXT_KEY]),
        (End.OUT_OF_CREDIT, [NEXT_KEY]),
        (End.FAILED, [NEXT_KEY]),
        (End.TAKEN_OVER, [NEXT_KEY]),
        (End.HANDED_OVER, [KEY]),
        (End.WAITING, []),
        (End.IN_PROGRESS, []),
    ],
)
def test_message_enqueues_at_most_one_message_and_none_for_a_waiting_task(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, end: End, sent: list[str]
) -> None:
    stub_run_task(monkeypatch, end)
    assert failed(record(GOOD)) == []
    assert (queue.sent, queue.visibility_changes) == (sent, [])


@pytest.fixture
def dispatches(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """The requests of a dispatch of webhooks."""
    requests = list[None]()
    monkeypatch.setattr(aws, "request_dispatch", lambda: requests.append(None))
    return requests


@pytest.mark.parametrize(
    ("end", "has_due_delivery", "requested"),
    [
        (End.COMPLETED, True, 1),
        (End.QUOTED, True, 1),
        (End.OUT_OF_CREDIT, True, 1),
        (End.FAILED, True, 1),
        (End.TAKEN_OVER, True, 1),
        (End.NOT_RUNNING, True, 1),
        (End.COMPLETED, False, 0),
        (End.HANDED_OVER, True, 0),
        (End.WAITING, True, 0),
        (End.IN_PROGRESS, True, 0),
    ],
)
def test_end_of_a_task_requests_the_dispatch_of_a_due_webhook(
    monkeypatch: pytest.MonkeyPatch,
    queue: Queue,
    dispatches: list[None],
    end: End,
    has_due_delivery: bool,
    requested: int,
) -> None:
    """NOT_RUNNING and TAKEN_OVER are the ends of a cancelled task: its worker gets or has its message."""
    stub_run_task(monkeypatch, end, has_due_delivery=has_due_delivery)
    assert failed(record(GOOD)) == []
    assert len(dispatches) == requested


@pytest.mark.parametrize(
    ("body", "received", "sent"), [(ANNOUNCED, 1, []), (ANNOUNCED, 2, [NEXT_KEY]), (GOOD, 1, [NEXT_KEY])]
)
def test_message_of_an_ended_task_starts_the_next_one_unless_an_uploader_can_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
    queue: Queue,
    dispatches: list[None],
    body: str,
    received: int,
    sent: list[str],
) -> None:
    stub_run_task(monkeypatch, End.NOT_RUNNING, has_due_delivery=True)
    assert failed(record(body, received=received)) == []
    assert queue.sent == sent
    assert len(dispatches) == len(sent)


@pytest.mark.parametrize(
    ("end", "sent"),
    [
        (End.OUT_OF_CREDIT, [NEXT_KEY, KEY]),
        (End.FAILED, [NEXT_KEY, KEY]),
        (End.TAKEN_OVER, [NEXT_KEY, KEY]),
        (End.NOT_RUNNING, [NEXT_KEY, KEY]),
        (End.COMPLETED, [NEXT_KEY]),
        (End.HANDED_OVER, [KEY]),
        (End.WAITING, []),
        (End.IN_PROGRESS, []),
    ],
)
def test_unfinished_results_of_an_ended_task_are_handed_over_after_the_next_task_is_started(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, end: End, sent: list[str]
) -> None:
    stub_run_task(monkeypatch, end, results_are_written=False)
    assert failed(record(GOOD)) == []
    assert queue.sent == sent


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), RuntimeError("a bug")])
@pytest.mark.parametrize(
    ("received", "seconds"), [(1, 10), (2, 60), (3, 360), (4, 2160), (5, 2160), (9, 2160)]
)
def test_failed_message_is_retried_with_growing_delays(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, error: Exception, received: int, seconds: int
) -> None:
    stub_run_task(monkeypatch, error)
    assert failed(record(GOOD, received=received)) == ["message 1"]
    assert queue.visibility_changes == [("receipt 1", seconds)]


def test_only_failed_messages_are_retried(monkeypatch: pytest.MonkeyPatch, queue: Queue) -> None:
    stub_run_task(monkeypatch, End.COMPLETED)
    assert failed(record(GOOD, 1), record("nonsense", 2), record(GOOD, 3)) == ["message 2"]


def test_unreadable_message_is_retried_without_delay(queue: Queue) -> None:
    assert failed(record("nonsense")) == ["message 1"]
    assert queue.visibility_changes == [("receipt 1", 0)]
