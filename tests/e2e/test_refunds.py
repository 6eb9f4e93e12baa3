"""Refunds over HTTP: an admin returns what a record or a task was charged, once."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact
from tests.support.uploads import HEADER, ended, upload

ROWS = HEADER + b'addition,"[1, 2]"\nsquare_root,[4]\n'


def refund(admin: Client, path: str, reason: str = "a mistake", key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return admin.post(f"{path}/refund", json={"reason": reason}, headers=headers)


@pytest.fixture
def record(client: Client) -> str:
    """The id of a record that the client was charged for."""
    return str(exact(client.compute())["record_id"])


@pytest.fixture
def task(client: Client) -> str:
    """The path of a completed task of the client, with two rows."""
    path = upload(client, ROWS)
    assert ended(client, path)["status"] == "completed"
    return path


def spent(client: Client) -> Any:
    return sum(row["spent"] for row in exact(client.get(f"{API}/usage"))["usage"])


def test_refund_of_a_record_shows_in_balance_record_ledger_and_usage(
    admin: Client, client: Client, record: str
) -> None:
    made = exact(admin.post(f"{API}/records/{record}/refund", json={"reason": "a mistake"}))
    assert made == {
        "id": made["id"],
        "user_id": client.id,
        "record_id": record,
        "task_id": None,
        "amount": 5,
        "reason": "a mistake",
        "user_balance": 20,
    }
    assert (client.balance, spent(client)) == (20, 0)
    shown = exact(client.get(f"{API}/records/{record}"))
    assert (shown["refund_id"], shown["amount"]) == (made["id"], 5)
    newest = client.rows("ledger")[0]
    assert (newest["id"], newest["kind"], newest["amount"]) == (made["id"], "refund", 5)
    assert newest["reference"] == {"record_id": record, "reason": "a mistake", "refunded_by": admin.id}
    assert newest["date"] == shown["refunded_at"]
    assert client.rows("records", refund_id=made["id"]) == [shown]
    expect.sound_statement(client.rows("ledger"), client.balance)


def test_refund_of_a_task_shows_in_its_records_and_ends_it(admin: Client, client: Client, task: str) -> None:
    task_id = task.rpartition("/")[2]
    made = exact(admin.post(f"{API}/tasks/{task_id}/refund", json={"reason": "a mistake"}))
    assert (made["amount"], made["task_id"], made["record_id"]) == (10, task_id, None)
    assert (client.balance, spent(client)) == (20, 0)
    shown = exact(client.get(task))
    assert (shown["refund_id"], shown["spent"]) == (made["id"], 10)
    rows = client.rows("records", task_id=task_id)
    assert [(row["refund_id"], row["refunded_at"]) for row in rows] == [
        (made["id"], shown["refunded_at"])
    ] * 2
    for path in (task, f"{API}/records/{rows[0]['id']}"):
        expect.problem(refund(admin, path), 409)
    expect.problem(client.post(f"{task}/resume"), 409)
    assert client.balance == 20


def test_refund_of_a_task_leaves_out_a_record_refunded_before(
    admin: Client, client: Client, task: str
) -> None:
    row = client.rows("records", task_id=task.rpartition("/")[2])[0]
    assert exact(refund(admin, f"{API}/records/{row['id']}"))["amount"] == 5
    assert exact(refund(admin, task))["amount"] == 5
    assert (client.balance, spent(client)) == (20, 0)


def test_record_is_refunded_once_and_a_retry_gets_the_first_response(
    admin: Client, client: Client, record: str
) -> None:
    path, key = f"{API}/records/{record}", str(uuid4())
    first, again = refund(admin, path, key=key), refund(admin, path, key=key)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    expect.problem(refund(admin, path), 409)
    expect.problem(refund(admin, path, key=str(uuid4())), 409)
    expect.problem(refund(admin, path, "another", key=key), 422)
    assert client.balance == 20


def test_retry_of_a_tasks_refund_gets_the_first_response(admin: Client, client: Client, task: str) -> None:
    key = str(uuid4())
    first, again = refund(admin, task, key=key), refund(admin, task, key=key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert client.balance == 20


def test_manual_record_and_task_without_charges_have_nothing_to_refund(
    admin: Client, client: Client, record: str
) -> None:
    operation = exact(client.get(f"{API}/records/{record}"))["operation_id"]
    body = {"operation_id": operation, "user_id": client.id, "amount": 5, "user_balance": 5}
    manual = exact(admin.post(f"{API}/records", json={**body, "operation_response": 3}))
    assert (
        "nothing to refund" in expect.problem(refund(admin, f"{API}/records/{manual['id']}"), 409)["detail"]
    )
    waiting = exact(client.post(f"{API}/tasks", json={"filename": "a.csv", "size": 10}))["id"]
    assert "ended" in expect.problem(refund(admin, f"{API}/tasks/{waiting}"), 409)["detail"]
    assert client.post(f"{API}/tasks/{waiting}/cancel").is_success
    assert "Nothing" in expect.problem(refund(admin, f"{API}/tasks/{waiting}"), 409)["detail"]
    assert client.balance == 15


def test_only_admins_refund(client: Client, record: str, task: str) -> None:
    for path in (f"{API}/records/{record}", task):
        expect.problem(refund(client, path), 403)


def test_unknown_record_and_task_are_not_found(admin: Client) -> None:
    for resource in ("records", "tasks"):
        expect.problem(refund(admin, f"{API}/{resource}/{uuid4()}"), 404)


@pytest.mark.parametrize("reason", ["", "x" * 501, None, 5, "a\nb"])
def test_invalid_reason_is_rejected(admin: Client, client: Client, record: str, reason: Any) -> None:
    response = admin.post(f"{API}/records/{record}/refund", json={"reason": reason})
    assert expect.pointers(response) == ["#/reason"]
    assert client.balance == 15
