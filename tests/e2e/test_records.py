"""Records of calls: owners read them, admins correct them, and corrections move no money."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact

RECORDS = f"{API}/records"


@pytest.fixture
def record(client: Client) -> dict[str, Any]:
    """A record of the client: 1 + 2."""
    created = exact(client.compute())["record_id"]
    return dict(exact(client.get(f"{RECORDS}/{created}")))


def manual(client: Client, operation_id: str, **members: Any) -> dict[str, Any]:
    return {
        "operation_id": operation_id,
        "user_id": client.id,
        "amount": 1.5,
        "user_balance": 3,
        "operation_response": {"by": "hand"},
        **members,
    }


def test_client_sees_only_own_records(client: Client, other: Client, record: dict[str, Any]) -> None:
    other.compute()
    assert [row["id"] for row in client.rows("records")] == [record["id"]]
    expect.problem(other.get(f"{RECORDS}/{record['id']}"), 404)
    assert other.rows("records", user_id=client.id) == []


def test_admin_sees_all_records(admin: Client, client: Client, record: dict[str, Any]) -> None:
    assert exact(admin.get(f"{RECORDS}/{record['id']}")) == record
    assert admin.rows("records", user_id=client.id) == [record]


def test_newest_record_is_listed_first(client: Client) -> None:
    created = [exact(client.compute("addition", n, n))["record_id"] for n in range(3)]
    assert [row["id"] for row in client.rows("records")] == created[::-1]


def test_manual_record_moves_no_money(admin: Client, client: Client, record: dict[str, Any]) -> None:
    body = manual(client, record["operation_id"], date="2020-02-03T04:05:06+01:00")
    response = admin.post(RECORDS, json=body)
    assert response.status_code == 201, response.text
    created = exact(response)
    assert response.headers["Location"] == f"{RECORDS}/{created['id']}"
    assert exact(client.get(f"{RECORDS}/{created['id']}")) == created
    assert created["date"].startswith("2020-02-03T03:05:06")
    assert created["date"].endswith("Z")
    assert created["arguments"] is None
    for name in ("operation_id", "user_id", "amount", "user_balance", "operation_response"):
        assert created[name] == body[name], name
    assert client.balance == 15
    assert len(client.rows("ledger")) == 2


def test_manual_record_without_a_date_has_the_current_time(
    admin: Client, client: Client, record: dict[str, Any]
) -> None:
    created = exact(admin.post(RECORDS, json=manual(client, record["operation_id"])))
    assert created["date"] > record["date"]


@pytest.mark.parametrize("unknown", ["user_id", "operation_id"])
def test_record_with_an_unknown_user_or_operation_is_rejected(
    admin: Client, client: Client, record: dict[str, Any], unknown: str
) -> None:
    body = {**manual(client, record["operation_id"]), unknown: str(uuid4())}
    assert expect.pointers(admin.post(RECORDS, json=body)) == [f"#/{unknown}"]
    change = {unknown: str(uuid4())}
    assert expect.pointers(admin.patch(f"{RECORDS}/{record['id']}", json=change)) == [f"#/{unknown}"]


def test_correction_returns_204_without_a_body_and_moves_no_money(
    admin: Client, client: Client, record: dict[str, Any]
) -> None:
    changes = {"amount": 2, "user_balance": 18, "operation_response": "three", "date": "2021-01-01T00:00:00Z"}
    response = admin.patch(f"{RECORDS}/{record['id']}", json=changes)
    assert (response.status_code, response.content) == (204, b"")
    corrected = exact(client.get(f"{RECORDS}/{record['id']}"))
    assert corrected == {**record, **changes, "date": corrected["date"]}
    assert corrected["date"].startswith("2021-01-01T00:00:00")
    assert client.balance == 15
    expect.sound_statement(client.rows("ledger"), client.balance)


def test_correction_changes_only_the_sent_fields(
    admin: Client, client: Client, record: dict[str, Any]
) -> None:
    assert admin.patch(f"{RECORDS}/{record['id']}", json={"amount": 4}).status_code == 204
    assert exact(client.get(f"{RECORDS}/{record['id']}")) == {**record, "amount": 4}


def test_corrected_response_may_be_null(admin: Client, client: Client, record: dict[str, Any]) -> None:
    admin.patch(f"{RECORDS}/{record['id']}", json={"operation_response": None})
    assert exact(client.get(f"{RECORDS}/{record['id']}"))["operation_response"] is None


def test_deleted_record_is_shown_only_to_an_admin_who_requests_it_and_refunds_nothing(
    admin: Client, client: Client, record: dict[str, Any]
) -> None:
    one = f"{RECORDS}/{record['id']}"
    assert exact(admin.delete(one))["status"] == "success"
    for caller in (client, admin):
        expect.problem(caller.get(one), 404)
        assert caller.rows("records", id=record["id"]) == []
    expect.problem(admin.patch(one, json={"amount": 1}), 404)
    expect.problem(admin.delete(one), 404)
    (deleted,) = admin.rows("records", id=record["id"], deleted="true")
    assert deleted["deleted_at"].endswith("Z")
    assert "deleted" in expect.problem(client.get(RECORDS, params={"deleted": "true"}), 422)["detail"]
    assert client.balance == 15
    assert len(client.rows("ledger")) == 2


def test_unknown_record_is_not_found(admin: Client) -> None:
    nothing = f"{RECORDS}/{uuid4()}"
    expect.problem(admin.get(nothing), 404)
    expect.problem(admin.patch(nothing, json={"amount": 1}), 404)
    expect.problem(admin.delete(nothing), 404)


def test_record_may_be_created_for_a_deleted_user(
    admin: Client, account: Callable[..., Client], record: dict[str, Any]
) -> None:
    deleted = account()
    body = manual(deleted, record["operation_id"])
    admin.delete(f"{API}/users/{body['user_id']}")
    assert admin.post(RECORDS, json=body).status_code == 201
