"""What a user sees of a file: progress, cancelling, results; through the real event source."""

import csv
import statistics
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from client.batch import ClientError
from tests.support.batch.harness import mixed_file
from tests.support.batch.service import Account, Running
from tests.support.eventually import eventually
from worker.chunks import CHUNK_ROWS

LINE = b'addition,"[1, 2]"\n'
HEADER = b"operation,arguments\n"
WITHIN = 60


def results(account: Account, task_id: str) -> list[dict[str, str]]:
    link = account.call("GET", f"/api/v1/tasks/{task_id}/results").headers["Location"]
    return list(csv.DictReader(httpx.get(link, trust_env=False).text.splitlines()))


def test_progress_moves_at_least_once_a_second_with_a_speed_and_the_time_left(running: Running) -> None:
    account = running.client()
    task_id = account.begin(HEADER + LINE * 80_000)
    eventually(lambda: account.task(task_id)["rows_done"], WITHIN)
    seen, moved = list[dict[str, object]](), [time.monotonic()]
    while (task := account.task(task_id))["status"] == "processing" and task["percentage"] < 100:
        if not seen or task["rows_done"] != seen[-1]["rows_done"]:
            seen.append(task)
            moved.append(time.monotonic())
    pauses = [later - earlier for earlier, later in pairwise(moved)]
    assert statistics.median(pauses) < 1
    assert max(pauses) < 5  # a busy machine may hold up one or another
    assert len(seen) >= 3
    for name in ("rows_done", "bytes_done", "percentage", "spent"):
        assert [one[name] for one in seen] == sorted(one[name] for one in seen)  # type: ignore[type-var]
    assert all(one["rows_per_second"] and one["seconds_left"] is not None for one in seen)
    ended = eventually(lambda: account.ended(task_id), WITHIN)
    assert (ended["status"], ended["rows_done"], ended["percentage"]) == ("completed", 80_000, 100)
    assert ended["seconds_left"] is None


def test_cancelling_takes_effect_within_a_chunk_and_a_resumption_does_the_rest(running: Running) -> None:
    account, rows = running.client(), 150_000
    task_id = account.begin(HEADER + LINE * rows)
    eventually(lambda: account.task(task_id)["rows_done"], WITHIN)
    cancelled = account.call("POST", f"/api/v1/tasks/{task_id}/cancel").json()
    assert cancelled["status"] == "cancelled"
    with pytest.raises(ClientError) as caught:
        account.call("POST", f"/api/v1/tasks/{task_id}/cancel")
    assert caught.value.status == 409
    account.call("POST", f"/api/v1/tasks/{task_id}/resume")
    ended = eventually(lambda: account.ended(task_id), WITHIN)
    # Whatever was billed when it was cancelled, was billed then: not a chunk came after.
    assert cancelled["rows_done"] % CHUNK_ROWS == 0
    assert cancelled["rows_done"] < rows
    assert (ended["status"], ended["rows_done"], ended["spent"]) == ("completed", rows, 5 * rows)
    assert [int(row["row"]) for row in results(account, task_id)] == list(range(1, rows + 1))


def test_results_come_in_the_files_order_with_a_reason_for_each_row_that_failed(running: Running) -> None:
    account = running.client(credit=0)
    task_id = account.begin(
        HEADER + LINE + b"cube,[3]\n\n" + LINE + b'=division,"[1, 0]"\ndivision,"[1, 0]"\n'
    )
    ended = eventually(lambda: account.ended(task_id), WITHIN)
    assert (ended["status"], ended["rows_failed"], ended["spent"]) == ("completed", 3, 10)
    found = results(account, task_id)
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
    assert found[3]["operation"] == "'=division"  # no formula for a spreadsheet


def test_ten_huge_files_of_one_user_do_not_stop_anothers_small_one(running: Running, tmp_path: Path) -> None:
    greedy, modest = running.client(), running.client()
    huge = HEADER + LINE * 150_000
    begun = list[str]()
    for _ in range(10):
        running.forget_uploads()
        begun.append(greedy.begin(huge))
    eventually(lambda: any(greedy.task(one)["rows_done"] for one in begun), WITHIN)
    started = time.monotonic()
    small = modest.begin(mixed_file(100, 1))
    assert eventually(lambda: modest.ended(small), WITHIN)["status"] == "completed"
    took = time.monotonic() - started
    states = [greedy.task(one)["status"] for one in begun]
    for one in begun:
        if greedy.ended(one) is None:
            greedy.call("POST", f"/api/v1/tasks/{one}/cancel")
    assert states.count("completed") < 3
    assert states.count("processing") <= 1
    assert took < 10


def test_the_seventh_upload_at_once_is_refused_until_ten_seconds_have_passed(running: Running) -> None:
    account, size = running.client(credit=0), {"filename": "file.csv", "size": 10}
    for _ in range(6):
        account.call("POST", "/api/v1/tasks", json=size)
    with pytest.raises(ClientError) as caught:
        account.call("POST", "/api/v1/tasks", json=size)
    assert caught.value.status == 429
    assert "try again in" in str(caught.value)
    assert 1 <= int(str(caught.value).rpartition("try again in ")[2].partition(" ")[0]) <= 10
