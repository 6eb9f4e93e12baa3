"""Results of tasks that ended without completing: all rows done so far, written once, whatever fails."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from deploy.serverless_file import Function
from functions.housekeeping import restart_tasks
from localstack.context import LambdaContext
from shared import aws, tasks
from shared.billing import charges
from tests.batch.chaos import moments
from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.processes import WorkerProcess
from tests.support.batch.stage import AFTER, BEFORE, DURING, WRITING_ENDED, Fault
from tests.support.eventually import eventually

CHUNKS, BILLED_CHUNKS = 4, 2
FILE = mixed_file(CHUNKS * CHUNK_ROWS, seed=17)
BILLED = BILLED_CHUNKS * CHUNK_ROWS
SMALL_PARTS = {"worker.s3_writer.PART_SIZE": 1, "worker.results.ROWS_AT_ONCE": CHUNK_ROWS}
HEADER_LINE = b"row,operation,arguments,result,amount,user_balance,error\n"
TRIES = 3
"""The number of attempts that boto makes for a request."""
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def reference_task(undisturbed: Callable[[bytes], Task]) -> Task:
    """The same file, processed to its end for another user."""
    return undisturbed(FILE)


@pytest.fixture
def cancelled(harness: Harness, deliveries_with: MakeDeliveries) -> Task:
    """A task that was cancelled after some chunks. Its message is in the queue."""
    task = harness.upload(harness.client(), FILE)
    hurried = deliveries_with(seconds=59)
    hurried.until_idle(until=lambda: harness.state(task)["rows_done"] == BILLED)
    harness.cancel(task)
    return task


def first_lines(results: bytes, rows: int) -> bytes:
    """Return the header and the lines of the first rows. Cells with line breaks take several lines."""
    end = results.find(b"\n%d," % (rows + 1))
    return results if end < 0 else results[: end + 1]


def has_results(task: Task) -> bool:
    return tasks.get(task.id, task.owner.id)["results"] is not None


def check_stopped(harness: Harness, task: Task, reference_task: Task) -> None:
    """Check that the results contain exactly the rows billed before the cancellation."""
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("cancelled", BILLED)
    assert harness.results(task) == first_lines(harness.results(reference_task), BILLED)
    harness.check_accounting(task)


def test_cancelled_task_has_results_of_the_rows_billed_before(
    harness: Harness, deliveries: Deliveries, reference_task: Task, cancelled: Task
) -> None:
    assert not has_results(cancelled)
    deliveries.until_idle()
    check_stopped(harness, cancelled, reference_task)


def test_task_cancelled_under_a_worker_has_results(
    harness: Harness, deliveries: Deliveries, reference_task: Task
) -> None:
    task = harness.upload(harness.client(), FILE)

    def cancel() -> bool:
        harness.cancel(task)
        return True

    harness.stage.expect(Fault("begin_chunk", BEFORE, cancel, nth=BILLED_CHUNKS + 1))
    deliveries.until_idle()
    check_stopped(harness, task, reference_task)


def test_task_cancelled_while_its_results_are_written_has_results(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task
) -> None:
    task = harness.upload(harness.client(), FILE)

    def cancel() -> bool:
        harness.cancel(task)
        return True

    harness.stage.expect(Fault("read results", BEFORE, cancel, nth=3))
    deliveries_with(overrides=SMALL_PARTS).until_idle()
    assert harness.state(task)["status"] == "cancelled"
    assert harness.results(task) == harness.results(reference_task)


def test_task_out_of_credit_has_results_and_the_final_ones_replace_them(
    harness: Harness, deliveries: Deliveries
) -> None:
    row = b'multiplication,"[2, 3]"\n'
    task = harness.upload(harness.client(5 * BILLED), b"operation,arguments\n" + row * 2 * BILLED)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "out_of_credit"
    partial = harness.results(task)
    assert len(partial.splitlines()) == BILLED + 1
    charges.grant(task.owner.caller, task.owner.id, Decimal(5 * BILLED), "top-up", None)
    harness.resume(task)
    assert not has_results(task)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    assert len(harness.results(task).splitlines()) == 2 * BILLED + 1
    assert harness.results(task).startswith(partial)


def test_failed_task_has_results_with_the_reasons_of_its_bad_rows(
    harness: Harness, deliveries_with: MakeDeliveries
) -> None:
    limited = deliveries_with(overrides={"worker.chunk_billing.BAD_ROWS_LIMIT": 3})
    task = harness.upload(harness.client(Decimal(9)), b"operation,arguments\n" + b"cube,[3]\n" * 5)
    limited.until_idle()
    assert harness.state(task)["status"] == "failed"
    lines = harness.results(task).splitlines()
    assert lines[1:] == [
        b"%d,cube,[3],,,,line %d: there is no operation 'cube'" % (n, n + 1) for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("content", [b"not a CSV\n", None], ids=["failed", "cancelled without a file"])
def test_task_without_rows_has_results_with_only_a_header(
    harness: Harness, deliveries: Deliveries, content: bytes | None
) -> None:
    if content is None:
        task = harness.task(harness.client(), 99)
        harness.cancel(task)
    else:
        task = harness.upload(harness.client(), content)
    deliveries.until_idle()
    assert harness.results(task) == HEADER_LINE


@pytest.mark.parametrize(
    ("step", "moment"), [(step, moment) for step in WRITING_ENDED for moment in moments(step)]
)
def test_worker_killed_at_any_step_leaves_the_results_to_another(
    harness: Harness,
    deliveries_with: MakeDeliveries,
    reference_task: Task,
    cancelled: Task,
    step: str,
    moment: str,
) -> None:
    workers = list[WorkerProcess]()

    def kill() -> bool:
        workers[-1].kill()
        return False

    fault = Fault(step, moment, kill)
    harness.stage.expect(fault)
    deliveries_with(overrides=SMALL_PARTS).until_idle(prepare=workers.append)
    assert fault.struck == 1
    check_stopped(harness, cancelled, reference_task)


@pytest.mark.parametrize(
    ("step", "moment", "times"),
    [
        ("claim_results", AFTER, 1),
        ("read results data", DURING, 1),
        ("PUT results", BEFORE, TRIES),
        ("complete results", AFTER, TRIES),
        ("end_results", BEFORE, 1),
    ],
)
def test_results_are_written_after_a_broken_connection(
    harness: Harness,
    deliveries: Deliveries,
    reference_task: Task,
    cancelled: Task,
    step: str,
    moment: str,
    times: int,
) -> None:
    fault = Fault(step, moment, lambda: False, times=times)
    harness.stage.expect(fault)
    deliveries.until_idle()
    assert fault.struck == times
    check_stopped(harness, cancelled, reference_task)


def test_results_are_continued_after_a_hand_over_at_every_part(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task, cancelled: Task
) -> None:
    hurried = deliveries_with(seconds=59, overrides=SMALL_PARTS)
    hurried.until_idle()
    assert hurried.outcomes["done"] == BILLED_CHUNKS
    check_stopped(harness, cancelled, reference_task)


def test_two_workers_of_one_ended_task_write_the_same_results(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task, cancelled: Task
) -> None:
    both = deliveries_with(overrides=SMALL_PARTS)
    message = eventually(both.receive)
    again = {**message, "Attributes": {**message["Attributes"], "ApproximateReceiveCount": "2"}}
    with ThreadPoolExecutor() as pool:
        workers = [both.worker(), both.worker()]
        outcomes = list(pool.map(both.deliver, [again] * 2, workers))
    both.settle(message, "done" if "done" in outcomes else "failed")
    both.until_idle()
    check_stopped(harness, cancelled, reference_task)


@pytest.mark.parametrize("step", ["read results", "complete results", "end_results"])
def test_late_worker_does_not_replace_the_results_of_a_resumed_task(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task, cancelled: Task, step: str
) -> None:
    """The worker that writes the results of a cancelled task stalls until the task has completed."""
    late, others = deliveries_with(), deliveries_with()

    def complete() -> bool:
        harness.resume(cancelled)
        others.until_idle(until=lambda: harness.state(cancelled)["status"] == "completed")
        return True

    harness.stage.expect(Fault(step, BEFORE, complete))
    late.until_idle()
    harness.check_completed(cancelled, reference_task)


def test_lost_message_of_an_ended_task_is_sent_again_once_an_hour(
    harness: Harness, deliveries: Deliveries, reference_task: Task, cancelled: Task
) -> None:
    harness.cloud.sqs.purge_queue(QueueUrl=harness.queue)
    assert restart() == 0
    harness.sql("UPDATE tasks SET updated_at = now() - interval '2 minutes' WHERE id = :id", id=cancelled.id)
    assert (restart(), restart()) == (1, 0)
    deliveries.until_idle()
    check_stopped(harness, cancelled, reference_task)
    harness.sql(
        "UPDATE tasks SET restarted_at = NULL, updated_at = now() - interval '2 minutes' WHERE id = :id",
        id=cancelled.id,
    )
    assert restart() == 0


def restart() -> int:
    return restart_tasks.handler({}, LambdaContext(Function("restartTasks", "", 60, 512)))["sent"]


def test_message_of_an_ended_task_with_results_changes_nothing(
    harness: Harness, deliveries: Deliveries, reference_task: Task, cancelled: Task
) -> None:
    deliveries.until_idle()
    writes = harness.stage.history["PUT results", BEFORE]
    for _ in range(3):
        aws.enqueue(cancelled.key)
    deliveries.until_idle()
    assert harness.stage.history["PUT results", BEFORE] == writes
    check_stopped(harness, cancelled, reference_task)
