"""A user's view of a batch: progress, cancelling, results; through the real event source."""

import csv
from pathlib import Path
from uuid import UUID

import pytest

from restcalc import Conflict, TooManyRequests
from restcalc.models import Task
from tests.support.batch.harness import mixed_file
from tests.support.batch.service import Account, RunningService
from tests.support.eventually import eventually
from worker.chunks import CHUNK_ROWS

LINE = b'addition,"[1, 2]"\n'
HEADER = b"operation,arguments\n"
TIMEOUT_SECONDS = 60


def results(account: Account, task_id: UUID, folder: Path) -> list[dict[str, str]]:
    file = account.download_results(account.wait(task_id).id, folder / "results.csv")
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


def test_progress_is_updated_by_chunk_with_speed_and_remaining_time(running: RunningService) -> None:
    account, rows = running.client(), 200_000
    task_id = account.begin(HEADER + LINE * rows)
    eventually(lambda: account.get_task(task_id).rows_done, TIMEOUT_SECONDS)
    progress = list[Task]()
    while (task := account.get_task(task_id)).status == "processing" and task.percentage < 100:
        if not progress or task.rows_done != progress[-1].rows_done:
            progress.append(task)
    assert len(progress) >= 3
    assert all(one.rows_done % CHUNK_ROWS == 0 for one in progress)
    for name in ("rows_done", "bytes_done", "percentage", "spent"):
        values = [getattr(one, name) for one in progress]
        assert values == sorted(values)
    assert all(one.rows_per_second and one.seconds_left is not None for one in progress)
    ended = eventually(lambda: account.ended(task_id), TIMEOUT_SECONDS)
    assert (ended.status, ended.rows_done, ended.percentage) == ("completed", rows, 100)
    assert ended.seconds_left is None


def test_cancelling_takes_effect_within_a_chunk_and_a_resumption_completes_the_file(
    running: RunningService, tmp_path: Path
) -> None:
    account, rows = running.client(), 150_000
    task_id = account.begin(HEADER + LINE * rows)
    eventually(lambda: account.get_task(task_id).rows_done, TIMEOUT_SECONDS)
    cancelled = account.cancel_task(task_id)
    assert cancelled.status == "cancelled"
    with pytest.raises(Conflict):
        account.cancel_task(task_id)
    account.resume_task(task_id)
    ended = eventually(lambda: account.ended(task_id), TIMEOUT_SECONDS)
    # No chunk may be billed after the cancellation: at most the one that was billed when it took effect.
    assert cancelled.rows_done % CHUNK_ROWS == 0
    assert cancelled.rows_done < rows
    assert (ended.status, ended.rows_done, ended.spent) == ("completed", rows, 5 * rows)
    assert [int(row["row"]) for row in results(account, task_id, tmp_path)] == list(range(1, rows + 1))


def test_results_have_the_order_of_the_file_and_a_reason_for_each_failed_row(
    running: RunningService, tmp_path: Path
) -> None:
    account = running.client(credit=0)
    task_id = account.begin(
        HEADER + LINE + b"cube,[3]\n\n" + LINE + b'=division,"[1, 0]"\ndivision,"[1, 0]"\n'
    )
    ended = eventually(lambda: account.ended(task_id), TIMEOUT_SECONDS)
    assert (ended.status, ended.rows_failed, ended.spent) == ("completed", 3, 10)
    found = results(account, task_id, tmp_path)
    assert [row["row"] for row in found] == ["1", "2", "3", "4", "5"]
    assert [row["result"] for row in found] == ["3", "", "3", "", ""]
    assert [row["user_balance"] for row in found] == ["15", "", "10", "", ""]
    assert [row["amount"] for row in found] == ["5", "", "5", "", ""]
    assert [row["error"] for row in found] == [
        "",
        "line 3: there is no operation 'cube'",
        "",
        "line 6: there is no operation '=division'",
        "line 7: Division by zero.",
    ]
    assert found[3]["operation"] == "'=division"  # escaped for spreadsheets


def test_ten_large_files_of_one_user_do_not_delay_another_users_small_file(
    running: RunningService, tmp_path: Path
) -> None:
    heavy_user, light_user = running.client(), running.client()
    huge = HEADER + LINE * 150_000
    task_ids = list[UUID]()
    for _ in range(10):
        running.reset_rate_limits()
        task_ids.append(heavy_user.begin(huge))
    eventually(lambda: any(heavy_user.get_task(one).rows_done for one in task_ids), TIMEOUT_SECONDS)
    small = light_user.begin(mixed_file(100, 1))
    assert eventually(lambda: light_user.ended(small), TIMEOUT_SECONDS).status == "completed"
    states = [heavy_user.get_task(one).status for one in task_ids]
    for one in task_ids:
        if heavy_user.ended(one) is None:
            heavy_user.cancel_task(one)
    assert states.count("completed") < 3
    assert states.count("processing") <= 1


def test_seventh_upload_within_ten_seconds_is_throttled(running: RunningService) -> None:
    account = running.client(credit=0)
    for _ in range(6):
        account.create_task("file.csv", 10)
    with pytest.raises(TooManyRequests) as caught:
        account.create_task("file.csv", 10)
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 10
