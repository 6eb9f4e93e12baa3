"""Dry runs: every row is checked and priced, nothing is charged or recorded, and the file can be started."""

import csv
from collections.abc import Callable
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest

from shared import aws, tasks
from shared.billing import charges
from shared.errors import Conflict, NotFound
from tests.batch.chaos import moments
from tests.support.audit import mismatches
from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.processes import WorkerProcess
from tests.support.batch.stage import BEFORE, Fault
from tests.support.eventually import eventually
from tests.support.fake_random_org import KEY, RandomOrg

ROWS = 4 * CHUNK_ROWS
FILE = mixed_file(ROWS, seed=23)
PRICING = (
    "start_task",
    "begin_quote",
    "copy errors",
    "end_quote",
    "commit",
    "complete_task",
    "claim_results",
)
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def reference_task(undisturbed: Callable[[bytes], Task]) -> Task:
    """The same file, charged for another user."""
    return undisturbed(FILE)


def quote(harness: Harness, task: Task) -> Any:
    ((cost,),) = harness.sql("SELECT cost FROM tasks WHERE id = :id", id=task.id)
    return cost


def lines(results: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(results.decode().splitlines()))


def check_quoted(harness: Harness, task: Task, reference_task: Task) -> None:
    """Check that the quote is what the other task cost, and that nothing was charged or recorded."""
    state, charged = harness.state(task), harness.state(reference_task)
    assert state == {**charged, "status": "quoted", "spent": 0}
    assert quote(harness, task) == charged["spent"]
    bad_rows = [row for row in lines(harness.results(reference_task)) if row["error"]]
    assert lines(harness.results(task)) == bad_rows
    assert len(bad_rows) == state["rows_failed"] > 0
    assert harness.balance(task.owner) == 10**9
    assert harness.sql("SELECT 1 FROM records WHERE task_id = :id", id=task.id) == []
    assert harness.sql("SELECT kind FROM ledger WHERE user_id = :id", id=task.owner.id) == [["opening"]]
    assert mismatches() == []


@pytest.mark.parametrize("seconds", [900, 59], ids=["by one worker", "by one worker for each chunk"])
def test_dry_run_prices_all_rows_and_a_start_charges_exactly_that(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task, seconds: int
) -> None:
    deliveries = deliveries_with(seconds=seconds)
    task = harness.upload(harness.client(), FILE, dry_run=True)
    deliveries.until_idle()
    check_quoted(harness, task, reference_task)
    harness.start(task)
    with pytest.raises(Conflict, match="queued"):
        harness.start(task)
    deliveries.until_idle()
    harness.check_completed(task, reference_task)
    assert quote(harness, task) == harness.state(task)["spent"]


@pytest.mark.parametrize(("step", "moment"), [(step, moment) for step in PRICING for moment in moments(step)])
def test_killed_dry_run_continues_at_its_checkpoint(
    harness: Harness, deliveries: Deliveries, reference_task: Task, step: str, moment: str
) -> None:
    task, workers = harness.upload(harness.client(), FILE, dry_run=True), list[WorkerProcess]()

    def kill() -> bool:
        workers[-1].kill()
        return False

    fault = Fault(step, moment, kill, nth=2 if step in ("begin_quote", "end_quote", "commit") else 1)
    harness.stage.expect(fault)
    deliveries.until_idle(prepare=workers.append)
    assert fault.struck == 1
    check_quoted(harness, task, reference_task)


def test_chunks_of_a_dry_run_do_not_wait_for_the_owners_row(
    harness: Harness, deliveries: Deliveries, reference_task: Task
) -> None:
    task, releasing = harness.upload(harness.client(), FILE, dry_run=True), list[Thread]()

    def hold() -> bool:
        charge = harness.connect()
        charge.run("BEGIN")
        charge.run("SELECT FROM users WHERE id = :id FOR NO KEY UPDATE", id=task.owner.id)

        def release() -> None:
            eventually(lambda: harness.state(task)["rows_done"] == ROWS)
            charge.close()

        releasing.append(Thread(target=release))
        releasing[0].start()
        return True

    harness.stage.expect(Fault("begin_quote", BEFORE, hold))
    deliveries.until_idle()
    releasing[0].join()
    check_quoted(harness, task, reference_task)


def test_start_leaves_the_bad_rows_to_the_chunks_that_check_them_again(
    harness: Harness, deliveries: Deliveries
) -> None:
    """The number of bad rows must not slow the call down, and those of rows not reached are not reported."""
    credit = 5 * CHUNK_ROWS
    charged = harness.upload(harness.client(credit), FILE)
    task = harness.upload(harness.client(credit), FILE, dry_run=True)
    deliveries.until_idle()
    bad_rows = stored_bad_rows(harness, task)
    harness.start(task)
    assert stored_bad_rows(harness, task) == bad_rows
    deliveries.until_idle()
    state = harness.state(task)
    assert state == harness.state(charged)
    assert (state["status"], CHUNK_ROWS < state["rows_done"] < ROWS) == ("out_of_credit", True)
    assert harness.results(task) == harness.results(charged)
    harness.check_accounting(task)
    for each in (charged, task):
        charges.grant(each.owner.caller, each.owner.id, Decimal(5 * ROWS), "top-up", None)
        harness.resume(each)
    deliveries.until_idle()
    harness.check_completed(task, charged)
    assert stored_bad_rows(harness, task) == stored_bad_rows(harness, charged) == bad_rows


def stored_bad_rows(harness: Harness, task: Task) -> Any:
    return harness.sql("SELECT task_row, reason FROM task_errors WHERE task_id = :id ORDER BY 1", id=task.id)


def test_dry_run_with_too_many_bad_rows_fails(harness: Harness, deliveries_with: MakeDeliveries) -> None:
    limited = deliveries_with(overrides={"worker.chunk_billing.BAD_ROWS_LIMIT": CHUNK_ROWS + 3})
    bad = b"operation,arguments\n" + b'addition,"[1, 2]"\n' + b"cube,[3]\n" * ROWS
    task = harness.upload(harness.client(), bad, dry_run=True)
    limited.until_idle()
    state = harness.state(task)
    rows = CHUNK_ROWS + 4
    assert (state["status"], state["rows_done"], state["rows_failed"]) == ("failed", rows, rows - 1)
    assert state["error"] == (
        f"More than {rows - 1} rows are invalid. Checking stopped at row {rows + 1} (line {rows + 2})."
        " Correct the file and upload it again."
    )
    assert [row["row"] for row in lines(harness.results(task))] == [str(n) for n in range(2, rows + 1)]
    with pytest.raises(Conflict, match="failed"):
        harness.start(task)


def test_dry_run_fetches_no_random_strings(
    harness: Harness, deliveries_with: MakeDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(harness.proxied_environment, "RANDOM_STRING_API_KEY", KEY)
    with RandomOrg.running() as random_org:
        deliveries = deliveries_with(
            overrides={"shared.operations.random_string.ENDPOINT": random_org.endpoint}
        )
        content = b"operation,arguments\n" + b"random_string,[]\n" * 3 + b"cube,[1]\n"
        task = harness.upload(harness.client(0), content, dry_run=True)
        deliveries.until_idle()
        assert random_org.calls == []
    state = harness.state(task)
    assert (state["status"], state["rows_done"], state["rows_failed"]) == ("quoted", 4, 1)
    assert quote(harness, task) == 15


def test_cancelled_dry_run_can_be_resumed_but_not_started(
    harness: Harness, deliveries: Deliveries, reference_task: Task
) -> None:
    task = harness.upload(harness.client(), FILE, dry_run=True)

    def cancel() -> bool:
        harness.cancel(task)
        return True

    harness.stage.expect(Fault("begin_quote", BEFORE, cancel, nth=3))
    deliveries.until_idle()
    assert harness.state(task)["rows_done"] == 2 * CHUNK_ROWS
    assert all(row["error"] for row in lines(harness.results(task)))
    with pytest.raises(Conflict, match="cancelled"):
        harness.start(task)
    harness.resume(task)
    deliveries.until_idle()
    check_quoted(harness, task, reference_task)


@pytest.mark.parametrize("step", ["begin_quote", "complete_task", "end_results"])
def test_late_worker_of_a_dry_run_does_not_change_the_started_task(
    harness: Harness, deliveries_with: MakeDeliveries, reference_task: Task, step: str
) -> None:
    """The worker of a dry run stalls until the task was quoted, started and completed by others."""
    late, others = deliveries_with(), deliveries_with()
    task = harness.upload(harness.client(), FILE, dry_run=True)

    def status() -> str:
        return str(harness.state(task)["status"])

    def complete() -> bool:
        harness.sql("UPDATE tasks SET has_worker = false WHERE id = :id", id=task.id)
        aws.enqueue(task.key)
        others.until_idle(until=lambda: status() == "quoted")
        harness.start(task)
        others.until_idle(until=lambda: status() == "completed")
        return True

    harness.stage.expect(Fault(step, BEFORE, complete))
    late.until_idle()
    harness.check_completed(task, reference_task)


def test_dry_run_waits_for_the_owners_other_tasks(harness: Harness, deliveries_with: MakeDeliveries) -> None:
    """Each owner has one worker, so dry runs delay no other users."""
    hurried = deliveries_with(seconds=59)
    first = harness.upload(harness.client(), FILE, dry_run=True)
    hurried.until_idle(until=lambda: harness.state(first)["rows_done"] > 0)
    second = harness.upload(first.owner, FILE)
    hurried.until_idle(until=lambda: harness.state(second)["status"] == "queued")
    assert harness.state(first)["status"] == "processing"
    hurried.until_idle()
    assert [harness.state(task)["status"] for task in (first, second)] == ["quoted", "completed"]


def test_start_of_another_users_task_is_not_found(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(), FILE, dry_run=True)
    deliveries.until_idle()
    assert tasks.get(task.id, task.owner.id)["status"] == "quoted"
    with pytest.raises(NotFound):
        harness.start(Task(task.id, harness.client()))
