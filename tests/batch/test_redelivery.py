"""Messages that come twice, at once, late, or in the wrong order."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared import aws
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Ground, mixed_file
from tests.support.batch.stage import AFTER, BEFORE, Fault
from tests.support.eventually import eventually

FILE = mixed_file(300, seed=5)


def waits_for_a_lock(ground: Ground) -> bool:
    return bool(ground.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def first_message(deliveries: Deliveries) -> Any:
    return eventually(deliveries.receive)


def delivered_again(message: Any) -> Any:
    """The message as SQS delivers it for the second time."""
    return {**message, "Attributes": {**message["Attributes"], "ApproximateReceiveCount": "2"}}


@pytest.mark.parametrize("form", [dict, delivered_again], ids=["a duplicate", "a redelivery"])
def test_the_same_message_given_to_two_workers_at_once_is_billed_once(
    ground: Ground, deliveries: Deliveries, form: Callable[[Any], Any]
) -> None:
    undisturbed = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    for _ in range(3):
        task = ground.upload(ground.client(), FILE)
        message = first_message(deliveries)
        workers = [deliveries.worker() for _ in range(2)]
        with ThreadPoolExecutor() as pool:
            outcomes = list(pool.map(deliveries.deliver, [form(message)] * 2, workers))
        assert outcomes == ["done", "done"]
        deliveries.settle(message, "done")
        deliveries.until_idle(workers=2)
        ground.check_completed(task, undisturbed)


def test_two_workers_with_one_task_never_wait_for_each_other(ground: Ground, deliveries: Deliveries) -> None:
    """One has locked what it needs to begin, while the other's chunk asks for the same."""
    task = ground.upload(ground.client(), FILE)
    message = first_message(deliveries)
    one, other = deliveries.worker(), deliveries.worker()
    with ThreadPoolExecutor() as pool:

        def begin_another() -> bool:
            ground.stage.expect(Fault("start_task", BEFORE, go_on_once_one_waits))
            running.append(pool.submit(deliveries.deliver, delivered_again(message), other))
            eventually(lambda: ground.stage.history["lock_task", AFTER] > begun)
            return True

        def go_on_once_one_waits() -> bool:
            return eventually(lambda: waits_for_a_lock(ground))

        running = list[Any]()
        begun = ground.stage.history["lock_task", AFTER] + 1
        ground.stage.expect(Fault("begin_chunk", BEFORE, begin_another, nth=2))
        assert deliveries.deliver(message, one) == "done"
        assert running[0].result() == "done"
    deliveries.settle(message, "done")
    deliveries.until_idle(workers=2)
    assert deliveries.outcomes["failed"] == 0
    assert ground.state(task)["status"] == "completed"
    ground.check_books(task)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_message_that_comes_again_after_the_end_changes_nothing(
    ground: Ground, deliveries: Deliveries, copies: int
) -> None:
    task = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    before = (ground.state(task), ground.balance(task.owner), ground.results(task))
    for _ in range(copies):
        aws.enqueue(task.key)
    deliveries.until_idle(workers=2)
    assert (ground.state(task), ground.balance(task.owner), ground.results(task)) == before
    ground.check_books(task)


def test_events_in_any_order_and_number_are_billed_once(ground: Ground, deliveries: Deliveries) -> None:
    undisturbed = ground.upload(ground.client(), FILE)
    deliveries.until_idle()
    found = [ground.upload(ground.client(), FILE) for _ in range(3)]
    keys = [task.key for task in found for _ in range(3)]
    random.Random(1).shuffle(keys)
    for key in keys:
        aws.enqueue(key)
    deliveries.until_idle(workers=3)
    for task in found:
        ground.check_completed(task, undisturbed)


def test_an_event_with_two_records_of_one_object_is_billed_once(
    ground: Ground, deliveries: Deliveries
) -> None:
    task = ground.upload(ground.client(), FILE)
    message = first_message(deliveries)
    head, record, tail = message["Body"].partition('{"Records": [')
    message["Body"] = f"{head}{record}{tail.removesuffix(']}')}, {tail}"
    assert deliveries.deliver(message, deliveries.worker()) == "done"
    deliveries.settle(message, "done")
    deliveries.until_idle()
    assert ground.state(task)["status"] == "completed"
    ground.check_books(task)
