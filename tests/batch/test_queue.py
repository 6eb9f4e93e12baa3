"""The work queue: which events send messages, how many, and that one user cannot fill it."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from deploy.serverless_file import Function
from functions.housekeeping import restart_tasks
from localstack.cloud import BUCKET
from localstack.context import LambdaContext
from shared import aws
from shared.errors import Conflict
from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task, count_messages, mixed_file
from tests.support.batch.stage import BEFORE, Fault
from tests.support.eventually import eventually
from worker.messages import files

CHUNKS = 5
ROUNDS = 12
FILE = mixed_file(CHUNKS * CHUNK_ROWS, seed=2)
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def hurried(deliveries_with: MakeDeliveries) -> Deliveries:
    """Deliveries to workers that have time for one chunk."""
    return deliveries_with(seconds=59)


def deliver(deliveries: Deliveries, *expected: Task) -> None:
    """Deliver all messages in the queue. Assert that there is one for each expected task and no other."""
    # S3 sends its message shortly after the upload.
    messages = [eventually(deliveries.receive) for _ in expected]
    assert deliveries.receive() is None
    found = [upload.task_id for message in messages for upload in files(message["Body"])]
    assert sorted(found) == sorted(task.id for task in expected)
    for message in messages:
        deliveries.settle(message, deliveries.deliver(message, deliveries.worker()))


def statuses(harness: Harness, *found: Task) -> list[str]:
    return [harness.state(task)["status"] for task in found]


def restart() -> int:
    return restart_tasks.handler({}, LambdaContext(Function("restartTasks", "", 60, 512)))["sent"]


def test_waiting_task_has_no_message_until_the_running_one_ends(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries
) -> None:
    first = harness.upload(harness.client(), FILE)
    deliver(hurried, first)
    second, third = (harness.upload(first.owner, FILE) for _ in range(2))
    deliver(hurried, first, second, third)
    deliver(hurried, first)
    assert statuses(harness, first, second, third) == ["processing", "queued", "queued"]
    deliver(deliveries, first)
    assert statuses(harness, first, second, third) == ["completed", "queued", "queued"]
    deliver(deliveries, second)
    deliver(deliveries, third)
    deliver(deliveries)
    assert statuses(harness, first, second, third) == ["completed"] * 3
    harness.check_accounting(first, second, third)


@pytest.mark.parametrize(
    ("content", "balance", "status"),
    [(b"no header\n", 0, "failed"), (FILE, 9, "out_of_credit")],
    ids=["failed", "out of credit"],
)
def test_next_task_starts_after_any_end_of_the_running_one(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries, content: bytes, balance: int, status: str
) -> None:
    owner = harness.client(balance)
    first, second = harness.upload(owner, content), harness.task(owner, 99)
    harness.sql("UPDATE tasks SET status = 'queued', etag = 'x' WHERE id = :id", id=second.id)
    deliver(deliveries, first)
    assert statuses(harness, first) == [status]
    deliver(deliveries, second)


def test_next_task_starts_after_the_running_one_is_cancelled_between_two_workers(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries
) -> None:
    first = harness.upload(harness.client(), FILE)
    deliver(hurried, first)
    second = harness.upload(first.owner, FILE)
    deliver(hurried, *(first, second))
    harness.cancel(first)
    deliver(deliveries, first)  # of the hand-over; the cancellation sends none
    deliver(deliveries, second)
    assert statuses(harness, first, second) == ["cancelled", "completed"]


def test_next_task_starts_after_the_running_one_is_cancelled_under_a_worker(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries
) -> None:
    first = harness.upload(harness.client(), FILE)
    deliver(hurried, first)
    second = harness.upload(first.owner, FILE)
    deliver(hurried, *(first, second))

    def cancel_it() -> bool:
        harness.cancel(first)
        return True

    harness.stage.expect(Fault("begin_chunk", BEFORE, cancel_it, nth=2))
    deliveries.until_idle()
    assert statuses(harness, first, second) == ["cancelled", "completed"]


def test_user_who_cancels_and_resumes_has_at_most_one_message_per_task(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries
) -> None:
    """Cancel and resume all tasks between two workers and before each chunk of a worker."""
    owner = harness.client()
    found = [harness.upload(owner, FILE) for _ in range(3)]
    deliver(hurried, *found)
    counts = list[int]()

    def attack() -> bool:
        for task in found:
            for act in (harness.cancel, harness.resume, harness.cancel, harness.resume):
                harness.sql("DELETE FROM rate_limits")
                with suppress(Conflict):
                    act(task)
        counts.append(count_messages(harness.cloud, harness.queue))
        return True

    harness.stage.expect(Fault("begin_chunk", BEFORE, attack, times=ROUNDS))
    for _ in range(ROUNDS):
        attack()
        message = deliveries.receive()
        deliveries.settle(message, deliveries.deliver(message, deliveries.worker()))
    harness.stage.expect(None)
    assert max(counts) <= len(found) + 1  # and the one that is delivered
    deliveries.until_idle()
    assert statuses(harness, *found) == ["completed"] * len(found)
    harness.check_accounting(*found)


def test_repeated_upload_of_a_file_causes_no_work_and_waits_for_no_lock(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries
) -> None:
    """Repeat the uploads of a running, a waiting and an ended task."""
    owner = harness.client()
    ended = harness.upload(owner, FILE)
    deliver(deliveries, ended)
    running = harness.upload(owner, FILE)
    deliver(hurried, running)
    waiting = harness.upload(owner, FILE)
    deliver(hurried, running, waiting)
    lose_message(deliveries, running)
    harness.sql("UPDATE tasks SET has_worker = true WHERE id = :id", id=running.id)
    again = [task for task in (ended, running, waiting) for _ in range(3)]
    for task in again:
        harness.cloud.s3.put_object(Bucket=BUCKET, Key=task.key, Body=FILE)
    requests = harness.stage.history["HEAD file", BEFORE]
    with harness.connect() as chunk:
        chunk.run("BEGIN")
        chunk.run("SELECT FROM users WHERE id = :id FOR NO KEY UPDATE", id=owner.id)
        chunk.run("SELECT FROM tasks WHERE id = :id FOR NO KEY UPDATE", id=running.id)
        deliver(deliveries, *again)
        chunk.run("ROLLBACK")
    deliver(deliveries)
    assert harness.stage.history["HEAD file", BEFORE] == requests
    assert statuses(harness, ended, running, waiting) == ["completed", "processing", "queued"]


def lose_message(deliveries: Deliveries, task: Task) -> None:
    """Delete the task's one message, as if it were lost."""
    message = eventually(deliveries.receive)
    assert [upload.task_id for upload in files(message["Body"])] == [task.id]
    deliveries.settle(message, "done")


def test_lost_message_is_sent_again_once_its_task_has_stalled(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries
) -> None:
    first = harness.upload(harness.client(), FILE)
    deliver(hurried, first)
    second, third = (harness.upload(first.owner, FILE) for _ in range(2))
    deliver(hurried, first, second, third)
    lose_message(deliveries, first)
    assert restart() == 0
    harness.sql("UPDATE tasks SET updated_at = now() - interval '6 minutes' WHERE id = :id", id=first.id)
    harness.sql("UPDATE tasks SET updated_at = now() - interval '2 minutes' WHERE id = :id", id=second.id)
    assert (restart(), restart()) == (2, 0)
    deliveries.until_idle()
    assert statuses(harness, first, second, third) == ["completed"] * 3
    harness.check_accounting(first, second, third)


def test_replacement_message_that_cannot_be_sent_is_sent_at_the_next_run(
    harness: Harness, deliveries: Deliveries, hurried: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = harness.upload(harness.client(), FILE)
    deliver(hurried, task)
    lose_message(deliveries, task)
    harness.sql("UPDATE tasks SET updated_at = now() - interval '6 minutes' WHERE id = :id", id=task.id)
    with monkeypatch.context() as patch:
        patch.setattr(aws, "enqueue", fail_to_enqueue)
        with pytest.raises(ConnectionError):
            restart()
    assert restart() == 1
    deliver(deliveries, task)
    assert statuses(harness, task) == ["completed"]


def fail_to_enqueue(key: str) -> None:
    raise ConnectionError
