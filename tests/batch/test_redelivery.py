"""Messages that are delivered twice, concurrently, late, or in another order."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared import aws
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.stage import AFTER, BEFORE, Fault
from tests.support.eventually import eventually

FILE = mixed_file(300, seed=5)


@pytest.fixture
def reference_task(undisturbed: Callable[[bytes], Task]) -> Task:
    """The same file, processed for another user from one message."""
    return undisturbed(FILE)


def waits_for_a_lock(harness: Harness) -> bool:
    return bool(harness.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def first_message(deliveries: Deliveries) -> Any:
    return eventually(deliveries.receive)


def delivered_again(message: Any) -> Any:
    """Return the message as SQS delivers it for the second time."""
    return {**message, "Attributes": {**message["Attributes"], "ApproximateReceiveCount": "2"}}


@pytest.mark.parametrize("form", [dict, delivered_again], ids=["a duplicate", "a redelivery"])
def test_message_delivered_to_two_workers_concurrently_is_billed_once(
    harness: Harness, deliveries: Deliveries, reference_task: Task, form: Callable[[Any], Any]
) -> None:
    for _ in range(3):
        task = harness.upload(harness.client(), FILE)
        message = first_message(deliveries)
        workers = [deliveries.worker() for _ in range(2)]
        with ThreadPoolExecutor() as pool:
            outcomes = list(pool.map(deliveries.deliver, [form(message)] * 2, workers))
        assert outcomes == ["done", "done"]
        deliveries.settle(message, "done")
        deliveries.until_idle(workers=2)
        harness.check_completed(task, reference_task)


def test_two_workers_of_one_task_never_deadlock(harness: Harness, deliveries: Deliveries) -> None:
    """One worker holds the locks to start the task, while the other's chunk requests them."""
    task = harness.upload(harness.client(), FILE)
    message = first_message(deliveries)
    one, other = deliveries.worker(), deliveries.worker()
    with ThreadPoolExecutor() as pool:

        def begin_another() -> bool:
            harness.stage.expect(Fault("start_task", BEFORE, go_on_once_one_waits))
            running.append(pool.submit(deliveries.deliver, delivered_again(message), other))
            eventually(lambda: harness.stage.history["lock_task", AFTER] > begun)
            return True

        def go_on_once_one_waits() -> bool:
            return eventually(lambda: waits_for_a_lock(harness))

        running = list[Any]()
        begun = harness.stage.history["lock_task", AFTER] + 1
        harness.stage.expect(Fault("begin_chunk", BEFORE, begin_another, nth=2))
        assert deliveries.deliver(message, one) == "done"
        assert running[0].result() == "done"
    deliveries.settle(message, "done")
    deliveries.until_idle(workers=2)
    assert deliveries.outcomes["failed"] == 0
    assert harness.state(task)["status"] == "completed"
    harness.check_accounting(task)


@pytest.mark.parametrize("copies", [1, 3])
def test_message_redelivered_after_the_end_changes_nothing(
    harness: Harness, deliveries: Deliveries, copies: int
) -> None:
    task = harness.upload(harness.client(), FILE)
    deliveries.until_idle()
    before = (harness.state(task), harness.balance(task.owner), harness.results(task))
    for _ in range(copies):
        aws.enqueue(task.key)
    deliveries.until_idle(workers=2)
    assert (harness.state(task), harness.balance(task.owner), harness.results(task)) == before
    harness.check_accounting(task)


def test_duplicate_messages_in_any_order_are_billed_once(
    harness: Harness, deliveries: Deliveries, reference_task: Task
) -> None:
    found = [harness.upload(harness.client(), FILE) for _ in range(3)]
    keys = [task.key for task in found for _ in range(3)]
    random.Random(1).shuffle(keys)
    for key in keys:
        aws.enqueue(key)
    deliveries.until_idle(workers=3)
    for task in found:
        harness.check_completed(task, reference_task)


def test_message_with_two_records_of_one_file_is_billed_once(
    harness: Harness, deliveries: Deliveries
) -> None:
    task = harness.upload(harness.client(), FILE)
    message = first_message(deliveries)
    head, record, tail = message["Body"].partition('{"Records": [')
    message["Body"] = f"{head}{record}{tail.removesuffix(']}')}, {tail}"
    assert deliveries.deliver(message, deliveries.worker()) == "done"
    deliveries.settle(message, "done")
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    harness.check_accounting(task)
