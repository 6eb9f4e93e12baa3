"""The worker's response to its messages: which failed, when those are retried, and what it sends itself."""

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


class Queue:
    """Notes what the worker asks of SQS."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown_again = list[tuple[str, int]]()
        self.sent = list[str]()
        monkeypatch.setattr(aws, "set_visibility_timeout", lambda *asked: self.shown_again.append(asked))
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
    answer = handler.handler({"Records": list(records)}, None)
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def ends(monkeypatch: pytest.MonkeyPatch, end: End | Exception) -> None:
    """Make each task end so; another task of its owner waits."""

    def run_task(upload: Upload, redelivered: bool, seconds_left: object) -> End:
        if isinstance(end, Exception):
            raise end
        assert upload.user_id == OWNER
        return end

    def one(statement: str, /, **parameters: object) -> dict[str, object]:
        assert (statement, parameters) == ("next_task", {"user_id": OWNER})
        return {"id": NEXT}

    monkeypatch.setattr(handler, "run_task", run_task)
    monkeypatch.setattr(database, "one", one)


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
def test_a_message_leads_to_one_more_at_most_and_one_about_a_waiting_task_to_none(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, end: End, sent: list[str]
) -> None:
    ends(monkeypatch, end)
    assert failed(record(GOOD)) == []
    assert (queue.sent, queue.shown_again) == (sent, [])


@pytest.mark.parametrize(
    ("body", "received", "sent"), [(ANNOUNCED, 1, []), (ANNOUNCED, 2, [NEXT_KEY]), (GOOD, 1, [NEXT_KEY])]
)
def test_a_message_about_a_task_that_has_ended_starts_the_next_one_unless_an_uploader_can_repeat_it(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, body: str, received: int, sent: list[str]
) -> None:
    ends(monkeypatch, End.NOT_RUNNING)
    assert failed(record(body, received=received)) == []
    assert queue.sent == sent


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), RuntimeError("a bug")])
@pytest.mark.parametrize(
    ("received", "seconds"), [(1, 10), (2, 60), (3, 360), (4, 2160), (5, 2160), (9, 2160)]
)
def test_a_message_that_failed_comes_again_later_each_time(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, error: Exception, received: int, seconds: int
) -> None:
    ends(monkeypatch, error)
    assert failed(record(GOOD, received=received)) == ["message 1"]
    assert queue.shown_again == [("receipt 1", seconds)]


def test_only_the_messages_that_failed_come_again(monkeypatch: pytest.MonkeyPatch, queue: Queue) -> None:
    ends(monkeypatch, End.COMPLETED)
    assert failed(record(GOOD, 1), record("nonsense", 2), record(GOOD, 3)) == ["message 2"]


def test_what_cant_be_understood_need_not_wait_for_the_dead_letter_queue(queue: Queue) -> None:
    assert failed(record("nonsense")) == ["message 1"]
    assert queue.shown_again == [("receipt 1", 0)]
