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
ProcessNext = Callable[[], int]


class Context:
    """A Lambda context with enough remaining time."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def process_next(deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch) -> ProcessNext:
    """Return a function that handles the next message in this process and returns how many failed."""
    monkeypatch.setattr("worker.chunks.CHUNK_ROWS", 4)

    def once() -> int:
        message = eventually(deliveries.receive)
        event = {"Records": [record(message, "arn:aws:sqs:us-east-1:000000000000:opworker", "us-east-1")]}
        failed = handler(event, Context())["batchItemFailures"]
        deliveries.settle(message, "failed" if failed else "done")
        return len(failed)

    return once


@contextmanager
def failing_commits(harness: Harness) -> Iterator[None]:
    """Make the last statement of each chunk fail within the block."""
    harness.sql("ALTER TABLE ledger ADD CONSTRAINT no_batch CHECK (kind <> 'batch') NOT VALID")
    yield
    harness.sql("ALTER TABLE ledger DROP CONSTRAINT no_batch")


def rows(billed: int, rejected: int, credits: float) -> dict[str, Any]:
    return {"RowsBilled": billed, "RowsRefused": rejected, "BatchCredits": credits}


def test_each_chunk_and_the_end_of_a_task_are_emitted_once(
    harness: Harness, process_next: ProcessNext, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(), FILE)
    assert process_next() == 0
    assert emitted(capsys) == [rows(3, 1, 15), rows(2, 0, 5), {"TasksCompleted": 1}]
    enqueue(task.key)  # a duplicate message
    assert process_next() == 0
    assert emitted(capsys) == []
    assert harness.state(task)["spent"] == 20


def test_rolled_back_chunk_is_not_emitted(
    harness: Harness, process_next: ProcessNext, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(), FILE)
    with failing_commits(harness):
        assert process_next() == 1
    assert emitted(capsys) == [{"MessagesFailed": 1}]
    assert harness.state(task)["rows_done"] == 0
    assert process_next() == 0
    assert emitted(capsys)[-1] == {"TasksCompleted": 1}


def test_task_out_of_credit_is_emitted_with_its_billed_rows(
    harness: Harness, process_next: ProcessNext, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(9), FILE)
    assert process_next() == 0
    assert emitted(capsys) == [rows(1, 0, 5), {"TasksOutOfCredit": 1}]
    harness.resume(task)
    assert process_next() == 0
    assert emitted(capsys) == [{"TasksOutOfCredit": 1}]


def test_failed_task_is_emitted_once(
    harness: Harness, process_next: ProcessNext, capsys: pytest.CaptureFixture[str]
) -> None:
    task = harness.upload(harness.client(), b"no,header,of,ours\n")
    enqueue(task.key)
    assert (process_next(), process_next()) == (0, 0)
    assert emitted(capsys) == [{"TasksFailed": 1}]
