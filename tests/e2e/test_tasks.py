"""A CSV of operations, from its upload to its results."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import httpx
import pytest

from tests.support import expect
from tests.support.eventually import eventually
from tests.support.http_client import API, Client, exact
from tests.support.uploads import HEADER, SUM, ended, results, spent, task_at, top_up, upload

COLUMNS = ["row", "operation", "arguments", "result", "amount", "user_balance", "error"]

MIXED = (
    b"\xef\xbb\xbfoperation,arguments\r\n"
    b'addition,"[0.1, 0.2]"\r\n'
    b"\r\n"
    b'modulo,"[1, 2]"\n'
    b'division,"[1, 0]"\n'
    b'division,"[1, 8]"\n'
    b'square_root,"[-1]"\n'
    b"addition,nonsense\n"
    b'addition,"[1, ""2""]"\n'
    b'addition,"[1]"\n'
    b'addi\xfftion,"[1, 2]"\n'
    b"addition,[" + b" " * 70_000 + b"1]\n"
    b"random_string,\n"
    b"square_root,[9]"
)
REASONS = {2: "modulo", 3: "zero", 5: "negative", 6: "JSON", 7: "number", 8: "2", 9: "UTF-8", 10: "64 KiB"}


def test_small_file_is_processed_and_its_results_downloaded(client: Client, s3: httpx.Client) -> None:
    content = HEADER + SUM + b"random_string,\n" + b'division,"[1, 4]"\n'
    response = client.post(f"{API}/process_csv", files={"file": ("my sums.csv", content, "text/csv")})
    assert response.status_code == 202
    accepted = exact(response)
    path = response.headers["Location"]
    assert path == f"{API}/tasks/{accepted['task_id']}"
    assert (accepted["filename"], accepted["bytes_total"]) == ("my sums.csv", len(content))
    assert accepted["status"] in ("queued", "processing", "completed")

    task = ended(client, path)
    assert (task["status"], task["percentage"], task["error"]) == ("completed", 100, None)
    assert (task["rows_done"], task["rows_failed"], task["spent"]) == (3, 0, 15)
    assert task["bytes_done"] == task["bytes_total"] == len(content)
    assert task["results"] == f"{path}/results"
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]

    rows = results(client, path, s3)
    assert [list(row) for row in rows] == [COLUMNS] * 3
    assert [row["row"] for row in rows] == ["1", "2", "3"]
    assert [row["operation"] for row in rows] == ["addition", "random_string", "division"]
    assert [row["result"] for row in rows if row["operation"] != "random_string"] == ["3", "0.25"]
    assert len(rows[1]["result"]) == 32
    assert [Decimal(row["amount"]) for row in rows] == [5, 5, 5]
    assert [Decimal(row["user_balance"]) for row in rows] == [15, 10, 5]
    assert {row["error"] for row in rows} == {""}
    assert client.balance == 5


@pytest.mark.parametrize("accept", ["application/json", "text/html, Application/JSON;q=0.9, */*"])
def test_results_return_a_link_as_json_if_json_is_accepted(
    client: Client, s3: httpx.Client, accept: str
) -> None:
    path = upload(client, HEADER + SUM)
    ended(client, path)
    response = client.get(f"{path}/results", headers={"Accept": accept})
    assert response.status_code == 200
    link = exact(response)
    assert set(link) == {"url", "expires_at"}
    left = datetime.fromisoformat(link["expires_at"]) - datetime.now(UTC)
    assert 10 <= left / timedelta(minutes=1) <= 15
    assert s3.get(link["url"]).text.splitlines()[1] == '1,addition,"[1, 2]",3,5,15,'


@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/jsonl", ""])
def test_results_redirect_by_default(client: Client, accept: str) -> None:
    path = upload(client, HEADER + SUM)
    ended(client, path)
    response = client.get(f"{path}/results", headers={"Accept": accept})
    assert (response.status_code, response.content) == (303, b"")


def test_each_row_is_charged_and_recorded_once(
    account: Callable[..., Client],
) -> None:
    client = account(balance=5000)
    task = ended(client, upload(client, HEADER + SUM * 500))
    assert (task["status"], task["rows_done"], task["spent"]) == ("completed", 500, 2500)
    assert client.balance == 2500 == spent(client)
    expect.sound_statement(client.rows("ledger"), client.balance)
    records = client.rows("records", task_id=task["id"])
    assert sorted(record["task_row"] for record in records) == list(range(1, 501))
    assert {(record["amount"], record["operation_response"]) for record in records} == {(5, 3)}
    in_order = sorted(records, key=lambda record: int(record["task_row"]))
    assert [record["user_balance"] for record in in_order] == [5000 - 5 * n for n in range(1, 501)]


def test_bad_row_is_reported_with_its_reason_and_costs_nothing(client: Client, s3: httpx.Client) -> None:
    path = upload(client, MIXED)
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["rows_failed"]) == ("completed", 12, len(REASONS))
    rows = {int(row["row"]): row for row in results(client, path, s3)}
    assert list(rows) == list(range(1, 13))
    for number, reason in REASONS.items():
        assert reason in rows[number]["error"], rows[number]
        assert rows[number]["result"] == rows[number]["amount"] == rows[number]["user_balance"] == ""
    good = [row for number, row in rows.items() if number not in REASONS]
    assert [row["error"] for row in good] == [""] * 4
    assert [row["result"] for row in good if row["operation"] != "random_string"] == ["0.3", "0.125", "3"]
    assert task["spent"] == 20 == spent(client)
    assert client.balance == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"hello\n", SUM, b"operation\naddition\n", b"\xff\xfe\x00", b"PK\x03\x04" + b"\0" * 100],
    ids=["empty", "blank", "no header", "a row first", "half a header", "no UTF-8", "binary"],
)
def test_invalid_file_fails_with_a_reason_and_costs_nothing(
    client: Client, s3: httpx.Client, content: bytes
) -> None:
    path = upload(client, content)
    task = ended(client, path)
    assert task["status"] == "failed"
    assert task["error"]
    assert client.balance == 20
    assert results(client, path, s3) == []
    expect.problem(client.post(f"{path}/resume"), 409)


def test_file_without_rows_completes_and_costs_nothing(client: Client, s3: httpx.Client) -> None:
    path = upload(client, HEADER)
    assert ended(client, path)["status"] == "completed"
    assert results(client, path, s3) == []
    assert client.balance == 20


def test_task_out_of_credit_continues_after_a_top_up_and_a_resume(
    admin: Client, client: Client, s3: httpx.Client
) -> None:
    path = upload(client, HEADER + SUM * 10)
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("out_of_credit", 4, 20)
    assert client.balance == 0
    assert len(client.rows("records", task_id=task["id"])) == 4
    assert [row["row"] for row in results(client, path, s3)] == ["1", "2", "3", "4"]

    top_up(admin, client, 10)
    resumed = client.post(f"{path}/resume")
    assert resumed.status_code == 202
    assert resumed.json()["id"] == task["id"]
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("out_of_credit", 6, 30)

    top_up(admin, client, 100)
    assert client.post(f"{path}/resume").status_code == 202
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("completed", 10, 50)
    assert client.balance == 80
    assert [row["row"] for row in results(client, path, s3)] == [str(n) for n in range(1, 11)]
    assert spent(client) == 50
    expect.sound_statement(client.rows("ledger"), client.balance)


def test_task_stops_at_max_spend_and_continues_with_a_higher_one(
    account: Callable[..., Client], s3: httpx.Client
) -> None:
    client, content = account(balance=100), HEADER + SUM * 4
    body = {"filename": "a.csv", "size": len(content), "max_spend": 12}
    grant = client.post(f"{API}/tasks", json=body).json()
    assert grant["max_spend"] == 12
    assert s3.post(grant["url"], data=grant["fields"], files={"file": content}).is_success
    path = f"{API}/tasks/{grant['id']}"
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("out_of_credit", 2, 10)
    assert "max_spend of 12 does not cover row 3" in task["error"]
    assert [row["row"] for row in results(client, path, s3)] == ["1", "2"]
    for wrong in ({"max_spend": 0}, {"max_spend": -1}, {"max_spend": "many"}, {"limit": 20}):
        expect.problem(client.post(f"{path}/resume", json=wrong), 422)
    resumed = client.post(f"{path}/resume", json={"max_spend": 15})
    assert (resumed.status_code, resumed.json()["max_spend"]) == (202, 15)
    assert ended(client, path)["rows_done"] == 3
    assert client.post(f"{path}/resume", json={"max_spend": None}).json()["max_spend"] is None
    assert ended(client, path)["status"] == "completed"
    assert client.balance == 80


@pytest.mark.parametrize("limit", [0, -1, "12", 0.00001, True])
def test_invalid_max_spend_is_rejected(client: Client, limit: object) -> None:
    body = {"filename": "a.csv", "size": 10, "max_spend": limit}
    expect.problem(client.post(f"{API}/tasks", json=body), 422)


def test_cancelled_task_keeps_its_processed_rows_and_can_be_resumed(
    account: Callable[..., Client], s3: httpx.Client
) -> None:
    total = 150_000
    client = account(balance=5 * total)
    path = upload(client, HEADER + SUM * total)
    eventually(lambda: task_at(client, path)["rows_done"] > 0)
    problem = client.get(f"{path}/results")
    expect.problem(problem, 409)
    assert "Retry-After" not in problem.headers
    assert client.post(f"{path}/cancel").status_code == 200
    being_written = client.get(f"{path}/results")
    assert being_written.status_code == 303 or int(being_written.headers["Retry-After"]) > 0
    task = ended(client, path)
    assert len(results(client, path, s3)) == task["rows_done"]
    assert task["status"] == "cancelled"
    assert 0 < task["rows_done"] < total
    assert task["spent"] == 5 * task["rows_done"] == spent(client)
    assert client.balance == 5 * (total - task["rows_done"])
    expect.problem(client.post(f"{path}/cancel"), 409)

    assert client.post(f"{path}/resume").status_code == 202
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("completed", total, 5 * total)
    assert client.balance == 0
    assert spent(client) == 5 * total
    assert len(results(client, path, s3)) == total


def test_completed_task_can_be_neither_cancelled_nor_resumed(client: Client) -> None:
    path = upload(client, HEADER + SUM)
    ended(client, path)
    expect.problem(client.post(f"{path}/cancel"), 409)
    expect.problem(client.post(f"{path}/resume"), 409)


def test_task_of_another_user_is_not_found_except_by_an_admin(
    client: Client, other: Client, admin: Client, s3: httpx.Client
) -> None:
    path = upload(client, HEADER + SUM)
    task = ended(client, path)
    for response in (
        other.get(path),
        other.get(f"{path}/results"),
        other.post(f"{path}/cancel"),
        other.post(f"{path}/resume"),
    ):
        expect.problem(response, 404)
    assert other.rows("tasks") == []
    assert client.rows("tasks") == [task]
    assert task_at(admin, path) == task
    assert admin.rows("tasks", user_id=client.id) == [task]
    assert results(admin, path, s3)[0]["result"] == "3"


def test_unknown_task_is_not_found(client: Client) -> None:
    nothing = f"{API}/tasks/{uuid4()}"
    for response in (
        client.get(nothing),
        client.get(f"{nothing}/results"),
        client.post(f"{nothing}/cancel"),
        client.post(f"{nothing}/resume"),
    ):
        expect.problem(response, 404)
