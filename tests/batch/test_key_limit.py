"""The spending limit of the API key that created a task: its rows are billed up to the limit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from shared import aws, tasks
from shared.billing import charges
from shared.errors import SpendLimitReached
from tests.batch.test_credit import COST, ROWS, concurrent_tasks_allowed, file_of
from tests.support.audit import mismatches
from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task
from tests.support.fake_random_org import KEY, RandomOrg
from tests.support.users import ApiKey, Person, create_api_key

MakeDeliveries = Callable[..., Deliveries]


def limited(owner: Person, limit: Decimal | int | None, per: str = "total") -> tuple[ApiKey, Person]:
    """Create a key of the owner. Return it, and the owner as a program with this key."""
    parameters = {} if limit is None else {"limit_amount": Decimal(limit), "limit_per": per}
    key = create_api_key(owner.id, **parameters)
    return key, replace(owner, caller=replace(owner.caller, api_key_id=key.id))


def spent(harness: Harness, key: ApiKey) -> Decimal:
    """Return what the API shows as spent in the current period."""
    ((found,),) = harness.sql("SELECT api_key_spent(k) FROM api_keys k WHERE id = :id", id=key.id)
    return Decimal(found)


def resume(task: Task, key: ApiKey | None) -> None:
    tasks.resume(
        task.id, task.owner.id, lambda *ids: aws.enqueue(aws.upload_key(*ids)), key.id if key else None
    )


def error_at(row: int) -> str:
    return (
        f"The spending limit of the task's API key does not cover row {row} (line {row + 1}). Resume the task"
        " in the limit's next period, or in a session, which has no limit."
    )


@pytest.mark.parametrize("affordable", [0, 1, CHUNK_ROWS, CHUNK_ROWS + 1, ROWS - 1])
@pytest.mark.parametrize("per", ["day", "total"])
def test_task_ends_exactly_after_the_last_row_that_the_limit_covers(
    harness: Harness, deliveries: Deliveries, affordable: int, per: str
) -> None:
    owner = harness.client()
    key, program = limited(owner, affordable * COST + COST - Decimal("0.0001"), per)
    task = harness.upload(program, file_of(ROWS))
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("out_of_credit", affordable)
    assert state["error"] == error_at(affordable + 1)
    assert spent(harness, key) == state["spent"] == affordable * COST
    harness.check_accounting(task)


def test_file_within_the_limit_completes_and_counts(harness: Harness, deliveries: Deliveries) -> None:
    owner = harness.client()
    for limit in (ROWS * COST, None):
        key, program = limited(owner, limit)
        task = harness.upload(program, file_of(ROWS))
        deliveries.until_idle()
        assert harness.state(task)["status"] == "completed"
        assert spent(harness, key) == ROWS * COST
        harness.check_accounting(task)


def test_insufficient_balance_below_the_limit_is_reported_as_such(
    harness: Harness, deliveries: Deliveries
) -> None:
    key, program = limited(harness.client(2 * COST), 10 * COST)
    task = harness.upload(program, file_of(ROWS))
    deliveries.until_idle()
    assert harness.state(task)["error"].startswith("The balance does not cover row 3 ")
    assert spent(harness, key) == 2 * COST


def test_single_calls_and_rows_share_the_limit(harness: Harness, deliveries: Deliveries) -> None:
    owner = harness.client()
    key, program = limited(owner, 5 * COST)
    call = charges.Call(key.credentials, "multiplication", "[2, 3]", None)
    charges.charge(call, Decimal(6))
    task = harness.upload(program, file_of(ROWS))
    deliveries.until_idle()
    assert harness.state(task)["rows_done"] == 4
    with pytest.raises(SpendLimitReached):
        charges.charge(call, Decimal(6))
    harness.check_accounting(task)


def test_resumption_applies_the_limit_of_the_key_that_resumes(
    harness: Harness, deliveries: Deliveries
) -> None:
    owner = harness.client()
    first, program = limited(owner, 2 * COST)
    second, _ = limited(owner, 3 * COST)
    task = harness.upload(program, file_of(ROWS))
    deliveries.until_idle()
    for key, rows in ((first, 2), (second, 5)):
        resume(task, key)
        deliveries.until_idle()
        state = harness.state(task)
        assert (state["status"], state["rows_done"], state["error"]) == (
            "out_of_credit",
            rows,
            error_at(rows + 1),
        )
    resume(task, None)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    assert (spent(harness, first), spent(harness, second)) == (2 * COST, 3 * COST)
    harness.check_accounting(task)


def test_resumption_in_the_next_period_continues(harness: Harness, deliveries: Deliveries) -> None:
    key, program = limited(harness.client(), ROWS * COST / 2, "month")
    task = harness.upload(program, file_of(ROWS))
    deliveries.until_idle()
    assert harness.state(task)["rows_done"] == ROWS // 2
    harness.sql(
        "UPDATE api_keys SET spent_since = spent_since - interval '1 month' WHERE id = :id", id=key.id
    )
    resume(task, key)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    assert spent(harness, key) == ROWS * COST / 2
    harness.check_accounting(task)


@pytest.mark.parametrize("ending", ["revoked_at", "expires_at"])
def test_task_of_a_revoked_or_expired_key_continues_up_to_the_limit(
    harness: Harness, deliveries: Deliveries, ending: str
) -> None:
    key, program = limited(harness.client(), 4 * COST)
    task = harness.upload(program, file_of(ROWS))
    harness.sql(f"UPDATE api_keys SET {ending} = now() WHERE id = :id", id=key.id)
    deliveries.until_idle()
    assert harness.state(task)["rows_done"] == 4
    assert spent(harness, key) == 4 * COST


def test_task_of_a_deleted_key_spends_nothing(harness: Harness, deliveries: Deliveries) -> None:
    key, program = limited(harness.client(), 4 * COST)
    task = harness.upload(program, file_of(ROWS))
    harness.sql("DELETE FROM api_keys WHERE id = :id", id=key.id)
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("out_of_credit", 0)


def test_worker_fetches_only_the_random_strings_that_the_limit_covers(
    harness: Harness, deliveries_with: MakeDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(harness.proxied_environment, "RANDOM_STRING_API_KEY", KEY)
    with RandomOrg.running() as random_org:
        deliveries = deliveries_with(
            overrides={"shared.operations.random_string.ENDPOINT": random_org.endpoint}
        )
        _, program = limited(harness.client(), 5 * 3)
        task = harness.upload(program, b"operation,arguments\n" + b"random_string,[]\n" * ROWS)
        deliveries.until_idle()
        assert harness.state(task)["rows_done"] == 3
        assert sum(call["params"]["n"] for call in random_org.calls) == 3


def test_concurrent_tasks_and_calls_of_one_key_never_exceed_its_limit(
    harness: Harness, deliveries_with: MakeDeliveries
) -> None:
    """Run four workers on two tasks, four callers with the key, and two with another key of the user."""
    affordable = ROWS + 20
    owner = harness.client()
    key, program = limited(owner, affordable * COST + 1, "day")
    other, _ = limited(owner, 10 * COST)
    both = deliveries_with(overrides={"worker.chunks.CHUNK_ROWS": 8})
    found = [harness.upload(program, file_of(ROWS)) for _ in range(2)]
    for task in found:
        aws.enqueue(task.key)

    def call_until_refused(number: int) -> int:
        presented = (other if number >= 4 else key).credentials
        charged = 0
        try:
            while True:
                charges.charge(charges.Call(presented, "multiplication", "[2, 3]", None), Decimal(6))
                charged += 1
        except SpendLimitReached:
            return charged

    with concurrent_tasks_allowed(harness), ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(call_until_refused, number) for number in range(6)]
        both.until_idle(workers=4)
        singly = [caller.result() for caller in callers]
    assert both.outcomes["failed"] == 0
    assert sum(singly[4:]) == 10
    rows = sum(harness.state(task)["rows_done"] for task in found)
    assert sum(singly[:4]) + rows == affordable
    assert spent(harness, key) == affordable * COST
    assert harness.balance(owner) == 10**9 - (affordable + 10) * COST
    assert mismatches() == []
