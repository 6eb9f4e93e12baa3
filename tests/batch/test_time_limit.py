"""A worker whose time runs out sends itself on; the file is billed as in one go."""

from collections.abc import Callable

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, mixed_file

CHUNKS = 25
FILE = mixed_file(CHUNKS * CHUNK_ROWS, seed=11)
SMALL_PARTS = {"worker.s3_writer.PART_SIZE": 1, "worker.results.ROWS_AT_ONCE": CHUNK_ROWS}
Make = Callable[..., Deliveries]


def test_a_file_that_is_handed_over_after_every_chunk_comes_out_as_in_one_go(
    harness: Harness, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = harness.upload(harness.client(), FILE)
    deliveries.until_idle()
    task, hurried = harness.upload(harness.client(), FILE), deliveries_with(seconds=59)
    hurried.until_idle()
    assert hurried.outcomes == {"done": CHUNKS + 1}  # the last one finds nothing left but to write results
    harness.check_completed(task, undisturbed)


def test_a_worker_with_time_left_bills_the_whole_file(harness: Harness, deliveries_with: Make) -> None:
    task, calm = harness.upload(harness.client(), FILE), deliveries_with(seconds=120)
    calm.until_idle()
    assert calm.outcomes == {"done": 1}
    harness.check_accounting(task)


def test_a_turn_that_is_over_is_handed_over_though_there_is_time(
    harness: Harness, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = harness.upload(harness.client(), FILE)
    deliveries.until_idle()
    task, brief = (
        harness.upload(harness.client(), FILE),
        deliveries_with(overrides={"worker.batch.TURN": 0.0}),
    )
    brief.until_idle()
    assert brief.outcomes == {"done": CHUNKS + 1}
    harness.check_completed(task, undisturbed)


def test_results_are_handed_over_after_every_part_and_gone_on_with(
    harness: Harness, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = harness.upload(harness.client(), FILE)
    deliveries.until_idle()
    task = harness.upload(harness.client(), FILE)
    hurried = deliveries_with(seconds=59, overrides=SMALL_PARTS)
    hurried.until_idle()
    assert hurried.outcomes == {"done": 2 * CHUNKS}
    harness.check_completed(task, undisturbed)


def test_results_whose_upload_was_forgotten_halfway_are_written_anew(
    harness: Harness, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = harness.upload(harness.client(), FILE)
    deliveries.until_idle()
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
    harness.check_completed(task, undisturbed)
