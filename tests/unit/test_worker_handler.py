"""The worker's answer to its messages: which failed, and when those come again."""

from typing import Any
from uuid import UUID

import pytest

from shared import aws
from shared.errors import ServiceUnavailable
from shared.unit_of_work import UnitOfWork
from worker import handler
from worker.batch import End
from worker.messages import Upload

KEY = "uploads/0190d7a6-3f5e-7c3a-9b1e-0123456789ab/0190d7a6-3f5e-7c3a-9b1e-ba9876543210.csv"
GOOD = f'{{"Records": [{{"s3": {{"object": {{"key": "{KEY}"}}}}}}]}}'


class Queue:
    """Notes what the worker asks of SQS."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown_again = list[tuple[str, int]]()
        self.sent = list[tuple[str, int]]()
        monkeypatch.setattr(aws, "show_again", lambda *asked: self.shown_again.append(asked))
        monkeypatch.setattr(aws, "enqueue", lambda key, delay=0: self.sent.append((key, delay)))


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
    """Makes each task end so."""

    def run_task(uow: UnitOfWork, upload: Upload, seconds_left: object) -> End:
        if isinstance(end, Exception):
            raise end
        assert upload.user_id == UUID("0190d7a6-3f5e-7c3a-9b1e-0123456789ab")
        return end

    monkeypatch.setattr(handler, "run_task", run_task)


@pytest.mark.parametrize(
    ("end", "sent"),
    [
        (End.COMPLETED, []),
        (End.OUT_OF_CREDIT, []),
        (End.FAILED, []),
        (End.NOT_RUNNING, []),
        (End.HANDED_OVER, [(KEY, 0)]),
        (End.WAITING, [(KEY, handler.WAIT)]),
        (End.TAKEN_OVER, [(KEY, handler.PING)]),
    ],
)
def test_a_task_that_goes_on_is_sent_on_and_its_message_is_done(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, end: End, sent: list[tuple[str, int]]
) -> None:
    ends(monkeypatch, end)
    assert failed(record(GOOD)) == []
    assert (queue.sent, queue.shown_again) == (sent, [])


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
