"""Credit: rows are billed up to the last affordable one, and none after it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal

import pytest

from shared.aws import enqueue
from shared.billing import charges
from shared.errors import InsufficientCredit
from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import PRICES, Harness
from tests.support.batch.stage import BEFORE, Fault
from tests.support.fake_random_org import KEY, RandomOrg
from tests.support.users import Person

COST = Decimal(PRICES["multiplication"])
ROWS = 3 * CHUNK_ROWS
MakeDeliveries = Callable[..., Deliveries]


def file_of(rows: int) -> bytes:
    return b"operation,arguments\n" + b'multiplication,"[2, 3]"\n' * rows


def top_up(owner: Person, amount: Decimal) -> None:
    charges.grant(owner.caller, owner.id, amount, "top-up", None)


@pytest.mark.parametrize("affordable", [0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, ROWS - 1])
def test_task_out_of_credit_stops_exactly_after_the_last_affordable_row(
    harness: Harness, deliveries: Deliveries, affordable: int
) -> None:
    balance = affordable * COST + COST - Decimal("0.0001")
    task = harness.upload(harness.client(balance), file_of(ROWS))
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("out_of_credit", affordable)
    assert state["error"] == (
        f"The balance does not cover row {affordable + 1} (line {affordable + 2})."
        " Add credit and resume the task."
    )
    assert harness.balance(task.owner) == balance - affordable * COST
    harness.check_accounting(task)


def test_task_completes_with_exactly_enough_credit(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(ROWS * COST), file_of(ROWS))
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    assert harness.balance(task.owner) == 0
    harness.check_accounting(task)


def test_bad_and_free_rows_need_no_credit(harness: Harness, deliveries: Deliveries) -> None:
    rows = b'cube,[3]\nsquare_root,[4]\ndivision,"[1, 0]"\n'
    task = harness.upload(harness.client(0), b"operation,arguments\n" + rows)
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["rows_failed"], state["spent"]) == (
        "completed",
        3,
        2,
        0,
    )
    harness.check_accounting(task)


def test_resumptions_after_top_ups_bill_the_remaining_rows_in_order(
    harness: Harness, deliveries: Deliveries
) -> None:
    reference_task = harness.upload(harness.client(ROWS * COST), file_of(ROWS))
    deliveries.until_idle()
    task = harness.upload(harness.client(7 * COST), file_of(ROWS))
    deliveries.until_idle()
    harness.resume(task)  # still without credit
    deliveries.until_idle()
    assert harness.state(task)["rows_done"] == 7
    for rows in (1, CHUNK_ROWS, ROWS - CHUNK_ROWS - 8):
        top_up(task.owner, rows * COST)
        harness.resume(task)
        deliveries.until_idle()
    assert harness.state(task) == harness.state(reference_task)
    harness.check_accounting(task)
    # The balances after the rows differ, because the credit was added in parts.
    lines = harness.results(task).splitlines()
    assert [line.split(b",")[0] for line in lines[1:]] == [b"%d" % n for n in range(1, ROWS + 1)]


@pytest.fixture
def random_org(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[RandomOrg]:
    monkeypatch.setitem(harness.proxied_environment, "RANDOM_STRING_API_KEY", KEY)
    with RandomOrg.running() as running:
        yield running


def fetched_strings(random_org: RandomOrg) -> int:
    return sum(call["params"]["n"] for call in random_org.calls)


@pytest.mark.parametrize("affordable", [0, 1, CHUNK_ROWS + 1])
def test_worker_fetches_only_the_random_strings_that_can_be_paid(
    harness: Harness, deliveries_with: MakeDeliveries, random_org: RandomOrg, affordable: int
) -> None:
    deliveries = deliveries_with(overrides={"shared.operations.random_string.ENDPOINT": random_org.endpoint})
    content = b"operation,arguments\n" + b"random_string,[]\n" * ROWS
    task = harness.upload(harness.client(5 * affordable + 4), content)
    deliveries.until_idle()
    harness.resume(task)  # still without credit
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("out_of_credit", affordable)
    assert fetched_strings(random_org) == affordable
    top_up(task.owner, Decimal(5 * (ROWS - affordable)))
    harness.resume(task)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    assert fetched_strings(random_org) == ROWS
    harness.check_accounting(task)


def test_credit_added_while_a_worker_runs_is_used_without_a_resumption(
    harness: Harness, deliveries_with: MakeDeliveries, random_org: RandomOrg
) -> None:
    deliveries = deliveries_with(overrides={"shared.operations.random_string.ENDPOINT": random_org.endpoint})
    task = harness.upload(harness.client(5), b"operation,arguments\n" + b"random_string,[]\n" * 3)

    def pay() -> bool:
        top_up(task.owner, Decimal(10))
        return True

    harness.stage.expect(Fault("begin", BEFORE, pay, nth=2))
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"], harness.balance(task.owner)) == ("completed", 3, 0)
    assert fetched_strings(random_org) == 3
    harness.check_accounting(task)


def test_price_deleted_while_a_worker_runs_loses_no_later_row(
    harness: Harness, deliveries_with: MakeDeliveries, random_org: RandomOrg
) -> None:
    deliveries = deliveries_with(overrides={"shared.operations.random_string.ENDPOINT": random_org.endpoint})
    rows = b"random_string,[]\n" * 2 + b'multiplication,"[2, 3]"\n'
    task = harness.upload(harness.client(COST), b"operation,arguments\n" + rows)

    def withdraw() -> bool:
        harness.sql("UPDATE operations SET deleted_at = now() WHERE type = 'random_string'")
        return True

    harness.stage.expect(Fault("begin", BEFORE, withdraw, nth=2))
    try:
        deliveries.until_idle()
        state = harness.state(task)
        assert (state["status"], state["rows_done"], state["rows_failed"]) == ("completed", 3, 2)
        assert harness.balance(task.owner) == 0
        harness.check_accounting(task)
    finally:
        harness.sql("UPDATE operations SET deleted_at = NULL WHERE type = 'random_string'")


@contextmanager
def concurrent_tasks_allowed(harness: Harness) -> Iterator[None]:
    """Allow several tasks of one user to run concurrently within the block."""
    ((text,),) = harness.sql("SELECT pg_get_functiondef('owner_is_busy'::regproc)")
    start = text[: text.index("RETURN ")]
    harness.sql(f"{start} RETURN false")
    try:
        yield
    finally:
        harness.sql(text)


def test_concurrent_tasks_and_charges_of_one_user_never_overspend(
    harness: Harness, deliveries_with: MakeDeliveries
) -> None:
    """Run four workers on two tasks, and four callers."""
    affordable = ROWS + 20
    owner = harness.client(affordable * COST + 1)
    both = deliveries_with(overrides={"worker.chunks.CHUNK_ROWS": 8})
    found = [harness.upload(owner, file_of(ROWS)) for _ in range(2)]
    for task in found:
        enqueue(task.key)

    def call_until_refused(_: int) -> int:
        charged = 0
        try:
            while True:
                charges.charge(charges.Call(owner.credentials, "multiplication", "[2, 3]", None), Decimal(6))
                charged += 1
        except InsufficientCredit:
            return charged

    with concurrent_tasks_allowed(harness), ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(call_until_refused, number) for number in range(4)]
        both.until_idle(workers=4)
        singly = sum(caller.result() for caller in callers)
    assert both.outcomes["failed"] == 0
    assert harness.balance(owner) == 1
    assert singly + sum(harness.state(task)["spent"] for task in found) / COST == affordable
    assert {harness.state(task)["status"] for task in found} <= {"out_of_credit", "completed"}
    harness.check_accounting(*found)
