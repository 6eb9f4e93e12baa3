"""Faults of database, bucket and queue while a worker runs. The results must match those without faults."""

from collections.abc import Callable

import pytest

from shared.operations import random_string
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.stage import AFTER, BEFORE, DURING, Fault
from tests.support.fake_random_org import KEY, RandomOrg, strings

FILE = mixed_file(600, seed=3)
TRIES = 3
"""The number of attempts that boto makes for a request."""
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def reference_task(undisturbed: Callable[[bytes], Task]) -> Task:
    """The same file, processed for another user without faults."""
    return undisturbed(FILE)


@pytest.mark.parametrize(
    ("step", "moment", "nth"),
    [
        ("begin_chunk", AFTER, 2),
        ("commit", DURING, 2),
        ("read results data", DURING, 1),
    ],
)
def test_worker_recovers_from_a_restart_of_the_database(
    harness: Harness, deliveries: Deliveries, reference_task: Task, step: str, moment: str, nth: int
) -> None:
    def restart() -> bool:
        with harness.database_stopped():
            return False

    check_fault(harness, deliveries, reference_task, Fault(step, moment, restart, nth))


@pytest.mark.parametrize(
    ("step", "moment"),
    [("start_task", AFTER), ("end_chunk", AFTER), ("complete_task", BEFORE)],
)
def test_worker_recovers_from_a_connection_terminated_by_the_server(
    harness: Harness, deliveries: Deliveries, reference_task: Task, step: str, moment: str
) -> None:
    def end() -> bool:
        harness.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'restcalculator'"
        )
        return True

    check_fault(harness, deliveries, reference_task, Fault(step, moment, end))


@pytest.mark.parametrize(
    ("step", "moment", "nth", "times"),
    [
        ("commit", AFTER, 3, 1),
        ("copy records data", BEFORE, 2, 1),
        ("GET file", BEFORE, 1, TRIES),
        ("GET file data", DURING, 1, 1),
        ("GET file data", DURING, 2, 1),
        ("PUT results", DURING, 1, TRIES),
        ("complete results", AFTER, 1, TRIES),
    ],
)
def test_worker_recovers_from_a_broken_connection(
    harness: Harness,
    deliveries: Deliveries,
    reference_task: Task,
    step: str,
    moment: str,
    nth: int,
    times: int,
) -> None:
    """`GET file data` breaks within a block, mostly in the middle of a row."""
    check_fault(harness, deliveries, reference_task, Fault(step, moment, lambda: False, nth, times))


def test_worker_recovers_from_a_queue_that_rejects_its_message(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task
) -> None:
    hurried = deliveries_with(seconds=1)
    check_fault(harness, hurried, reference_task, Fault("queue", BEFORE, lambda: False, nth=2, times=TRIES))


def test_worker_retries_after_random_org_is_unavailable(
    harness: Harness, deliveries_with: MakeDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, credit = 100, 1000
    with RandomOrg.running() as random_org:
        random_org.responses = [*[random_org.never_responds] * random_string.ATTEMPTS, strings]
        monkeypatch.setitem(harness.proxied_environment, "RANDOM_STRING_API_KEY", KEY)
        overrides = {
            "shared.operations.random_string.ENDPOINT": random_org.endpoint,
            "shared.operations.random_string.TIMEOUT": 0.5,
        }
        task = harness.upload(harness.client(credit), b"operation,arguments\n" + b"random_string,[]\n" * rows)
        deliveries = deliveries_with(overrides=overrides)
        deliveries.until_idle()
    assert deliveries.outcomes["failed"] == 1
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["rows_failed"]) == ("completed", rows, 0)
    assert harness.balance(task.owner) == credit - state["spent"]
    harness.check_accounting(task)


def check_fault(harness: Harness, deliveries: Deliveries, reference_task: Task, fault: Fault) -> None:
    task = harness.upload(harness.client(), FILE)
    harness.stage.expect(fault)
    deliveries.until_idle()
    assert fault.struck == fault.times
    harness.check_completed(task, reference_task)
