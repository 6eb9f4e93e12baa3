"""A worker whose time runs out sends itself on; the file is billed as in one go."""

from collections.abc import Callable

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Ground, mixed_file

CHUNKS = 25
FILE = mixed_file(CHUNKS * CHUNK_ROWS, seed=11)
SMALL_PARTS = {"worker.s3_writer.PART_SIZE": 1, "worker.results.ROWS_AT_ONCE": CHUNK_ROWS}
Make = Callable[..., Deliveries]


def test_a_file_that_is_handed_over_after_every_chunk_comes_out_as_in_one_go(
    ground: Ground, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    task, hurried = ground.upload(ground.client(), FILE), deliveries_with(seconds=59)
    hurried.until_idle()
    assert hurried.outcomes == {"done": CHUNKS + 1}  # the last one finds nothing left but to write results
    ground.check_completed(task, undisturbed)


def test_a_worker_with_time_left_bills_the_whole_file(ground: Ground, deliveries_with: Make) -> None:
    task, calm = ground.upload(ground.client(), FILE), deliveries_with(seconds=120)
    calm.until_idle()
    assert calm.outcomes == {"done": 1}
    ground.check_books(task)


def test_a_turn_that_is_over_is_handed_over_though_there_is_time(
    ground: Ground, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    task, brief = ground.upload(ground.client(), FILE), deliveries_with(knobs={"worker.batch.TURN": 0.0})
    brief.until_idle()
    assert brief.outcomes == {"done": CHUNKS + 1}
    ground.check_completed(task, undisturbed)


def test_results_are_handed_over_after_every_part_and_gone_on_with(
    ground: Ground, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    task = ground.upload(ground.client(), FILE)
    hurried = deliveries_with(seconds=59, knobs=SMALL_PARTS)
    hurried.until_idle()
    assert hurried.outcomes == {"done": 2 * CHUNKS}
    ground.check_completed(task, undisturbed)


def test_results_whose_upload_was_forgotten_halfway_are_written_anew(
    ground: Ground, deliveries: Deliveries, deliveries_with: Make
) -> None:
    undisturbed = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    task = ground.upload(ground.client(), FILE)
    hurried = deliveries_with(seconds=59, knobs=SMALL_PARTS)

    def parts() -> int:
        ((found,),) = ground.sql("SELECT results_parts FROM tasks WHERE id = :id", id=task.id)
        return int(found)

    hurried.until_idle(until=lambda: parts() >= 3)
    ((upload_id,),) = ground.sql("SELECT results_upload FROM tasks WHERE id = :id", id=task.id)
    where = {"Bucket": "buckeeto", "Key": task.key.replace("uploads/", "results/"), "UploadId": upload_id}
    ground.cloud.s3.abort_multipart_upload(**where)
    hurried.until_idle()
    ground.check_completed(task, undisturbed)
