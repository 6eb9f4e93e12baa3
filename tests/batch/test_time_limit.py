"""A worker that runs out of time hands its task over, and the file is billed as by one worker."""

from collections.abc import Callable

import pytest

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file

CHUNKS = 25
FILE = mixed_file(CHUNKS * CHUNK_ROWS, seed=11)
SMALL_PARTS = {"worker.s3_writer.PART_SIZE": 1, "worker.results.ROWS_AT_ONCE": CHUNK_ROWS}
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def reference_task(undisturbed: Callable[[bytes], Task]) -> Task:
    """The same file, processed for another user by one worker."""
    return undisturbed(FILE)


def test_file_handed_over_after_every_chunk_has_the_same_results(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task
) -> None:
    task, hurried = harness.upload(harness.client(), FILE), deliveries_with(seconds=59)
    hurried.until_idle()
    assert hurried.outcomes == {"done": CHUNKS + 1}  # the last worker only writes the results
    harness.check_completed(task, reference_task)


def test_worker_with_enough_time_bills_the_whole_file(
    harness: Harness, deliveries_with: MakeDeliveries
) -> None:
    task, calm = harness.upload(harness.client(), FILE), deliveries_with(seconds=120)
    calm.until_idle()
    assert calm.outcomes == {"done": 1}
    harness.check_accounting(task)


def test_worker_hands_over_at_the_end_of_its_turn(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task
) -> None:
    task, brief = (
        harness.upload(harness.client(), FILE),
        deliveries_with(overrides={"worker.batch.TURN": 0.0}),
    )
    brief.until_idle()
    assert brief.outcomes == {"done": CHUNKS + 1}
    harness.check_completed(task, reference_task)


def test_results_are_continued_after_a_hand_over_at_every_part(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task
) -> None:
    task = harness.upload(harness.client(), FILE)
    hurried = deliveries_with(seconds=59, overrides=SMALL_PARTS)
    hurried.until_idle()
    assert hurried.outcomes == {"done": 2 * CHUNKS}
    harness.check_completed(task, reference_task)


def test_results_whose_multipart_upload_was_aborted_are_written_again(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task
) -> None:
    task = harness.upload(harness.client(), FILE)
    hurried = deliveries_with(seconds=59, overrides=SMALL_PARTS)

    def parts() -> int:
        ((found,),) = harness.sql("SELECT results_parts FROM tasks WHERE id = :id", id=task.id)
        return int(found)

    hurried.until_idle(until=lambda: parts() >= 3)
    ((upload_id,),) = harness.sql("SELECT results_upload FROM tasks WHERE id = :id", id=task.id)
    where = {"Bucket": "buckeeto", "Key": task.key.replace("uploads/", "results/"), "UploadId": upload_id}
    harness.cloud.s3.abort_multipart_upload(**where)
    hurried.until_idle()
    harness.check_completed(task, reference_task)
