"""The worker emits metrics for each committed chunk once, and for each end of a task."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from localstack.event_source import record
from shared.aws import enqueue
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness
from tests.support.eventually import eventually
from tests.support.metric_lines import emitted
from worker.handler import handler

GOOD, FREE, BAD = b'multiplication,"[2, 3]"\n', b"square_root,[4]\n", b"cube,[3]\n"
FILE = b"operation,arguments\n" + GOOD * 3 + BAD + FREE + GOOD
"""Six rows, of which four cost 5 credits each."""
Work = Callable[[], int]


class Context:
    """Lambda's, with time enough."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def work(deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Has the worker's handler work off the next message, in this process; how many messages failed."""
    monkeypatch.setattr("worker.chunks.CHUNK_ROWS", 4)

    def once() -> int:
        message = eventually(deliveries.receive)
        event = {"Records": [record(message, "arn:aws:sqs:us-east-1:000000000000:opworker", "us-east-1")]}
        failed = handler(event, Context())["batchItemFailures"]
        deliveries.settle(message, "failed" if failed else "done")
        return len(failed)

    return once


@contextmanager
def no_commit(harness: Harness) -> Iterator[None]:
    """No chunk can be kept in the block: its last statement fails."""
    harness.sql("ALTER TABLE ledger ADD CONSTRAINT no_batch CHECK (kind <> 'batch') NOT VALID")
    yield
    harness.sql("ALTER TABLE ledger DROP CONSTRAINT no_batch")


def rows(billed: int, refused: int, credits: float) -> dict[str, Any]:
    return {"RowsBilled": billed, "RowsRefused": refused, "BatchCredits": credits}


def test_each_chunk_is_told_once_and_the_end(
    harness: Harness, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(), FILE)
    assert work() == 0
    assert emitted(capsys) == [rows(3, 1, 15), rows(2, 0, 5), {"TasksCompleted": 1}]
    enqueue(task.key)  # as a message that comes twice
    assert work() == 0
    assert emitted(capsys) == []
    assert harness.state(task)["spent"] == 20


def test_what_was_not_kept_is_not_told(
    harness: Harness, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(), FILE)
    with no_commit(harness):
        assert work() == 1
    assert emitted(capsys) == [{"MessagesFailed": 1}]
    assert harness.state(task)["rows_done"] == 0
    assert work() == 0
    assert emitted(capsys)[-1] == {"TasksCompleted": 1}


def test_a_task_out_of_credit_is_told_with_the_rows_that_were_paid(
    harness: Harness, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(9), FILE)
    assert work() == 0
    assert emitted(capsys) == [rows(1, 0, 5), {"TasksOutOfCredit": 1}]
    harness.resume(task)
    assert work() == 0
    assert emitted(capsys) == [{"TasksOutOfCredit": 1}]


def test_a_task_that_fails_is_told_once(
    harness: Harness, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(), b"no,header,of,ours\n")
    enqueue(task.key)
    assert (work(), work()) == (0, 0)
    assert emitted(capsys) == [{"TasksFailed": 1}]
