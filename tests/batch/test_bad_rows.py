"""Bad rows: the limit of a task, and the line numbers in the results."""

import csv
from collections.abc import Callable

import pytest

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import PRICES, Harness, mixed_file
from worker.chunk_billing import BAD_ROWS_LIMIT

HEADER, GOOD, BAD = b"operation,arguments\n", b'multiplication,"[2, 3]"\n', b"cube,[3]\n"
LIMIT = 2 * CHUNK_ROWS + 5
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def limited(deliveries_with: MakeDeliveries) -> Deliveries:
    return deliveries_with(overrides={"worker.chunk_billing.BAD_ROWS_LIMIT": LIMIT})


def test_limit_of_bad_rows_is_that_of_the_contract() -> None:
    assert BAD_ROWS_LIMIT == 100_000


def test_file_with_bad_rows_up_to_the_limit_completes(harness: Harness, limited: Deliveries) -> None:
    task = harness.upload(harness.client(), HEADER + BAD * LIMIT + GOOD)
    limited.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_failed"], state["rows_done"]) == ("completed", LIMIT, LIMIT + 1)
    harness.check_accounting(task)


@pytest.mark.parametrize("seconds", [900, 59], ids=["by one worker", "by one worker for each chunk"])
def test_one_bad_row_beyond_the_limit_fails_the_task_and_keeps_the_charges(
    harness: Harness, deliveries_with: MakeDeliveries, seconds: int
) -> None:
    limited = deliveries_with(overrides={"worker.chunk_billing.BAD_ROWS_LIMIT": LIMIT}, seconds=seconds)
    content = HEADER + (BAD + b"\n" + GOOD) * LIMIT + BAD + GOOD
    task = harness.upload(harness.client(), content)
    limited.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_failed"], state["rows_done"]) == ("failed", LIMIT, 2 * LIMIT)
    assert state["spent"] == LIMIT * int(PRICES["multiplication"])
    assert state["error"] == (
        f"More than {LIMIT} rows are invalid. Processing stopped at row {2 * LIMIT + 1}"
        f" (line {3 * LIMIT + 2}); the rows charged before are recorded. Correct the file and upload the"
        " rest."
    )
    harness.check_accounting(task)


def test_error_of_a_bad_row_has_its_line_number_for_any_worker(
    harness: Harness, deliveries: Deliveries, deliveries_with: MakeDeliveries
) -> None:
    content = mixed_file(5 * CHUNK_ROWS, seed=13)
    task = harness.upload(harness.client(), content)
    deliveries_with(seconds=59).until_idle()
    reports = [row for row in csv.DictReader(harness.results(task).decode().splitlines()) if row["error"]]
    assert len(reports) == harness.state(task)["rows_failed"] > CHUNK_ROWS / 4
    lines = content.decode().split("\n")
    for report in reports:
        number = int(report["error"].removeprefix("line ").partition(":")[0])
        found = next(csv.reader([lines[number - 1].strip()]))
        assert found[0] == report["operation"].removeprefix("'")


def test_lines_are_counted_again_for_a_task_from_an_older_release(
    harness: Harness, deliveries: Deliveries, deliveries_with: MakeDeliveries
) -> None:
    content = mixed_file(5 * CHUNK_ROWS, seed=13)
    reference_task = harness.upload(harness.client(), content)
    deliveries.until_idle()
    task = harness.upload(harness.client(), content)
    hurried = deliveries_with(seconds=59)
    hurried.until_idle(until=lambda: harness.state(task)["rows_done"] == 2 * CHUNK_ROWS)
    harness.sql("UPDATE tasks SET lines_done = 0 WHERE id = :id", id=task.id)
    hurried.until_idle()
    harness.check_completed(task, reference_task)


def test_task_may_spend_more_in_total_than_the_largest_balance(
    harness: Harness, deliveries: Deliveries
) -> None:
    task = harness.upload(harness.client(), HEADER + GOOD * 3)
    before = 99_999_999_999_999
    harness.sql("UPDATE tasks SET spent = :before WHERE id = :id", before=before, id=task.id)
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["spent"]) == ("completed", before + 3 * int(PRICES["multiplication"]))
