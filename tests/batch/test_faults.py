"""What breaks under a worker: database, bucket, queue. The file comes out as if nothing had been."""

from collections.abc import Callable

import pytest

from shared.operations import random_string
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.stage import AFTER, BEFORE, DURING, Fault
from tests.support.fake_random_org import KEY, RandomOrg, strings

FILE = mixed_file(600, seed=3)
TRIES = 3
"""How often boto tries a request."""
Make = Callable[..., Deliveries]


@pytest.fixture
def undisturbed(harness: Harness, deliveries: Deliveries) -> Task:
    """The same file, billed once for another user without any fault."""
    if harness.undisturbed is None:
        harness.undisturbed = harness.upload(harness.client(), FILE)
        deliveries.until_idle()
    return harness.undisturbed


@pytest.mark.parametrize(
    ("step", "moment", "nth"),
    [
        ("begin_chunk", AFTER, 2),
        ("commit", DURING, 2),
        ("read results data", DURING, 1),
    ],
)
def test_a_restarted_database_costs_nothing(
    harness: Harness, deliveries: Deliveries, undisturbed: Task, step: str, moment: str, nth: int
) -> None:
    def restart() -> bool:
        with harness.stack.database_stopped():
            return False

    suffer(harness, deliveries, undisturbed, Fault(step, moment, restart, nth))


@pytest.mark.parametrize(
    ("step", "moment"),
    [("start_task", AFTER), ("end_chunk", AFTER), ("complete_task", BEFORE)],
)
def test_a_connection_that_the_server_ends_costs_nothing(
    harness: Harness, deliveries: Deliveries, undisturbed: Task, step: str, moment: str
) -> None:
    def end() -> bool:
        harness.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'restcalculator'"
        )
        return True

    suffer(harness, deliveries, undisturbed, Fault(step, moment, end))


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
def test_a_line_that_breaks_costs_nothing(
    harness: Harness,
    deliveries: Deliveries,
    undisturbed: Task,
    step: str,
    moment: str,
    nth: int,
    times: int,
) -> None:
    """In the middle of a row, among others: `GET file data` ends within a block."""
    suffer(harness, deliveries, undisturbed, Fault(step, moment, lambda: False, nth, times))


def test_a_queue_that_refuses_the_hand_over_costs_nothing(
    harness: Harness, deliveries_with: Make, undisturbed: Task
) -> None:
    hurried = deliveries_with(seconds=1)
    suffer(harness, hurried, undisturbed, Fault("queue", BEFORE, lambda: False, nth=2, times=TRIES))


def test_a_random_org_that_is_away_costs_nothing(
    harness: Harness, deliveries_with: Make, monkeypatch: pytest.MonkeyPatch
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


def suffer(harness: Harness, deliveries: Deliveries, undisturbed: Task, fault: Fault) -> None:
    task = harness.upload(harness.client(), FILE)
    harness.stage.expect(fault)
    deliveries.until_idle()
    assert fault.struck == fault.times
    harness.check_completed(task, undisturbed)
