"""Bad rows: how many are kept, and the lines that their reports name."""

import csv
from collections.abc import Callable

import pytest

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import PRICES, Harness, mixed_file
from worker.chunk_billing import BAD_ROWS_LIMIT

HEADER, GOOD, BAD = b"operation,arguments\n", b'multiplication,"[2, 3]"\n', b"cube,[3]\n"
LIMIT = 2 * CHUNK_ROWS + 5
Make = Callable[..., Deliveries]


@pytest.fixture
def limited(deliveries_with: Make) -> Deliveries:
    return deliveries_with(overrides={"worker.chunk_billing.BAD_ROWS_LIMIT": LIMIT})


def test_the_limit_is_the_contracts() -> None:
    assert BAD_ROWS_LIMIT == 100_000


def test_a_file_with_as_many_bad_rows_as_are_kept_is_completed(harness: Harness, limited: Deliveries) -> None:
    task = harness.upload(harness.client(), HEADER + BAD * LIMIT + GOOD)
    limited.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_failed"], state["rows_done"]) == ("completed", LIMIT, LIMIT + 1)
    harness.check_accounting(task)


@pytest.mark.parametrize("seconds", [900, 59], ids=["by one worker", "by one worker for each chunk"])
def test_one_bad_row_more_ends_the_task_and_what_was_charged_stays(
    harness: Harness, deliveries_with: Make, seconds: int
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


def test_each_bad_row_names_its_line_whichever_worker_read_it(
    harness: Harness, deliveries: Deliveries, deliveries_with: Make
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


def test_lines_are_counted_in_a_file_that_an_older_release_began(
    harness: Harness, deliveries: Deliveries, deliveries_with: Make
) -> None:
    content = mixed_file(5 * CHUNK_ROWS, seed=13)
    undisturbed = harness.upload(harness.client(), content)
    deliveries.until_idle()
    task = harness.upload(harness.client(), content)
    hurried = deliveries_with(seconds=59)
    hurried.until_idle(until=lambda: harness.state(task)["rows_done"] == 2 * CHUNK_ROWS)
    harness.sql("UPDATE tasks SET lines_done = 0 WHERE id = :id", id=task.id)
    hurried.until_idle()
    harness.check_completed(task, undisturbed)


def test_a_task_may_spend_more_in_all_than_a_balance_can_hold(
    harness: Harness, deliveries: Deliveries
) -> None:
    task = harness.upload(harness.client(), HEADER + GOOD * 3)
    before = 99_999_999_999_999
    harness.sql("UPDATE tasks SET spent = :before WHERE id = :id", before=before, id=task.id)
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["spent"]) == ("completed", before + 3 * int(PRICES["multiplication"]))
