"""`max_spend`: a task stops before it would spend more, and a higher limit lets it continue."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import PRICES, Harness
from tests.support.fake_random_org import KEY, RandomOrg

COST = Decimal(PRICES["multiplication"])
ROWS = 2 * CHUNK_ROWS
MakeDeliveries = Callable[..., Deliveries]


def file_of(rows: int) -> bytes:
    return b"operation,arguments\n" + b'multiplication,"[2, 3]"\n' * rows


@contextmanager
def price_of_random_strings(harness: Harness, cost: int) -> Iterator[None]:
    change = "UPDATE operations SET cost = :cost WHERE type = 'random_string' RETURNING old.cost"
    ((before,),) = harness.sql(change, cost=cost)
    try:
        yield
    finally:
        harness.sql(change, cost=before)


def stopped_at(row: int, limit: str) -> str:
    return (
        f"The task's max_spend of {limit} does not cover row {row} (line {row + 1}). Resume the task with a"
        " higher max_spend."
    )


@pytest.mark.parametrize("seconds", [900, 59], ids=["by one worker", "by one worker for each chunk"])
@pytest.mark.parametrize("rows", [0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, ROWS - 1])
def test_task_stops_exactly_before_it_would_spend_more(
    harness: Harness, deliveries_with: MakeDeliveries, rows: int, seconds: int
) -> None:
    limit = rows * COST + COST - Decimal("0.0001")
    task = harness.upload(harness.client(), file_of(ROWS), max_spend=limit)
    deliveries_with(seconds=seconds).until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["spent"]) == ("out_of_credit", rows, rows * COST)
    assert state["error"] == stopped_at(rows + 1, f"{limit:f}")
    assert len(harness.results(task).splitlines()) == rows + 1
    harness.check_accounting(task)


def test_task_may_spend_exactly_its_limit(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(), file_of(ROWS), max_spend=ROWS * COST)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    harness.check_accounting(task)


def test_bad_and_free_rows_do_not_reach_the_limit(harness: Harness, deliveries: Deliveries) -> None:
    content = file_of(2) + b"cube,[3]\nsquare_root,[4]\n" + b'multiplication,"[2, 3]"\n'
    task = harness.upload(harness.client(), content, max_spend=2 * COST)
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["spent"]) == ("out_of_credit", 4, 2 * COST)
    assert state["error"] == stopped_at(5, "10")


def test_balance_below_the_limit_is_the_reason_if_it_runs_out_first(
    harness: Harness, deliveries: Deliveries
) -> None:
    task = harness.upload(harness.client(COST), file_of(2), max_spend=3 * COST)
    deliveries.until_idle()
    assert harness.state(task)["error"].startswith("The balance does not cover row 2")


def test_resumption_keeps_raises_or_removes_the_limit(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(), file_of(ROWS), max_spend=COST)

    def resumed(**changes: Decimal | None) -> tuple[str, int]:
        harness.resume(task, **changes)
        deliveries.until_idle()
        state = harness.state(task)
        return state["status"], state["rows_done"]

    deliveries.until_idle()
    assert harness.state(task)["rows_done"] == 1
    assert resumed() == ("out_of_credit", 1)
    assert resumed(max_spend=3 * COST) == ("out_of_credit", 3)
    assert resumed(max_spend=COST) == ("out_of_credit", 3)  # less than it has spent
    assert resumed(max_spend=None) == ("completed", ROWS)
    harness.check_accounting(task)


def test_limit_applies_after_a_dry_run_is_started(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(), file_of(ROWS), dry_run=True, max_spend=2 * COST)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "quoted"
    harness.start(task)
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("out_of_credit", 2)


def test_worker_fetches_only_the_random_strings_within_the_limit(
    harness: Harness, deliveries_with: MakeDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(harness.proxied_environment, "RANDOM_STRING_API_KEY", KEY)
    with RandomOrg.running() as random_org:
        endpoint = {"shared.operations.random_string.ENDPOINT": random_org.endpoint}
        content = b"operation,arguments\n" + b"random_string,[]\n" * 5
        task = harness.upload(harness.client(), content, max_spend=Decimal(12))
        deliveries_with(overrides=endpoint).until_idle()
        assert sum(call["params"]["n"] for call in random_org.calls) == 2
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["error"]) == ("out_of_credit", 2, stopped_at(3, "12"))


def test_free_random_strings_do_not_reach_a_limit_below_what_was_spent(
    harness: Harness, deliveries_with: MakeDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(harness.proxied_environment, "RANDOM_STRING_API_KEY", KEY)
    with RandomOrg.running() as random_org:
        deliveries = deliveries_with(
            overrides={"shared.operations.random_string.ENDPOINT": random_org.endpoint}
        )
        content = b"operation,arguments\n" + b"random_string,[]\n" * 3
        task = harness.upload(harness.client(), content, max_spend=Decimal(10))
        deliveries.until_idle()
        with price_of_random_strings(harness, 0):
            harness.resume(task, max_spend=Decimal(5))
            deliveries.until_idle(limit=30)
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["spent"]) == ("completed", 3, 10)
