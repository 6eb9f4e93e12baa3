"""API keys: sign-in of programs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, Client, exact
from tests.support.uploads import ended, upload

KEYS = f"{API}/api_keys"


def create_key(client: Client, name: str = "nightly run", **members: Any) -> dict[str, Any]:
    response = client.post(KEYS, json={"name": name, **members})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"{KEYS}/{created['id']}"
    return created


def test_new_key_is_shown_only_once(client: Client) -> None:
    created = create_key(client)
    assert created["name"] == "nightly run"
    assert created["key"].startswith("rc_")
    response = client.get(KEYS)
    (listed,) = exact(response)["api_keys"]
    assert listed == {name: value for name, value in created.items() if name != "key"}
    assert created["key"] not in response.text
    assert exact(client.get(f"{KEYS}/{created['id']}")) == listed


def test_key_authenticates_without_a_csrf_token(client: Client, connect: Connect) -> None:
    program = connect(bearer=create_key(client)["key"])
    assert program.me == client.me
    assert program.compute().status_code == 200
    assert client.balance == 15


def test_revoked_key_is_rejected(client: Client, connect: Connect) -> None:
    created = create_key(client)
    program = connect(bearer=created["key"])
    assert program.balance == 20
    assert exact(client.delete(f"{KEYS}/{created['id']}"))["status"] == "success"
    expect.problem(program.get(f"{API}/users/me"), 401)
    expect.problem(program.compute(), 401)
    assert exact(client.get(KEYS))["api_keys"] == []
    expect.problem(client.get(f"{KEYS}/{created['id']}"), 404)
    expect.problem(client.delete(f"{KEYS}/{created['id']}"), 404)


@pytest.mark.parametrize("scope", ["read", "compute", "batch"])
def test_key_can_revoke_itself_and_no_other_key(client: Client, connect: Connect, scope: str) -> None:
    own, another = create_key(client, scopes=[scope]), create_key(client, "another")
    program = connect(bearer=own["key"])
    problem = expect.problem(program.delete(f"{KEYS}/{another['id']}"), 403)
    assert problem["type"] == "/problems/insufficient-scope"
    assert exact(program.delete(f"{KEYS}/{own['id'].upper()}"))["status"] == "success"
    expect.problem(program.delete(f"{KEYS}/{own['id']}"), 401)
    assert [key["id"] for key in client.rows("api_keys")] == [another["id"]]


def test_key_of_another_user_is_neither_shown_nor_revocable_even_for_an_admin(
    client: Client, other: Client, admin: Client, connect: Connect
) -> None:
    created = create_key(client)
    for outsider in (other, admin):
        assert created["id"] not in [key["id"] for key in outsider.rows("api_keys")]
        expect.problem(outsider.get(f"{KEYS}/{created['id']}"), 404)
        expect.problem(outsider.delete(f"{KEYS}/{created['id']}"), 404)
    assert connect(bearer=created["key"]).balance == 20


def test_unknown_key_is_not_found(client: Client) -> None:
    expect.problem(client.get(f"{KEYS}/{uuid4()}"), 404)
    expect.problem(client.delete(f"{KEYS}/{uuid4()}"), 404)


def test_key_outlives_the_session_that_created_it(client: Client, connect: Connect) -> None:
    program = connect(bearer=create_key(client)["key"])
    client.post("/logout")
    assert program.compute().status_code == 200


def test_key_cannot_refresh(client: Client, connect: Connect) -> None:
    program = connect(bearer=create_key(client)["key"])
    expect.problem(program.get("/refresh"), 403)
    expect.problem(program.post("/refresh"), 401)


def test_key_has_its_scopes_expiry_and_spending_limit(client: Client, connect: Connect) -> None:
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    created = create_key(
        client, scopes=["compute"], expires_at=expires, spend_limit={"amount": 7.5, "per": "day"}
    )
    assert created["scopes"] == ["compute"]
    assert created["spend_limit"] == {"amount": 7.5, "per": "day"}
    program = connect(bearer=created["key"])
    assert program.compute(key="one").status_code == 200
    problem = expect.problem(program.compute(), 402)
    assert problem["type"] == "/problems/spend-limit-reached"
    assert (problem["balance"], problem["cost"]) == (15, 5)
    assert (
        "may spend 7.5 per day. 5 of it are spent, and this call costs 5. The day ends at"
        in problem["detail"]
    )
    assert program.compute(key="one").headers["Idempotent-Replayed"] == "true"
    problem = expect.problem(program.get(f"{API}/users/me"), 403)
    assert problem["type"] == "/problems/insufficient-scope"
    shown = exact(client.get(f"{KEYS}/{created['id']}"))
    assert shown["spent"] == 5
    assert shown["last_used_at"] is not None
    assert client.balance == 15


def test_client_cannot_choose_the_admin_scope(client: Client) -> None:
    response = client.post(KEYS, json={"name": "x", "scopes": ["read", "admin"]})
    assert expect.problem(response, 403)["type"] == "/problems/forbidden"


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"scopes": []}, "#/scopes"),
        ({"scopes": ["read", "read"]}, "#/scopes"),
        ({"scopes": ["write"]}, "#/scopes/0"),
        ({"scopes": "read"}, "#/scopes"),
        ({"scopes": None}, "#/scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "#/expires_at"),
        ({"spend_limit": {"amount": 0, "per": "day"}}, "#/spend_limit/amount"),
        ({"spend_limit": {"amount": 0.00001, "per": "day"}}, "#/spend_limit/amount"),
        ({"spend_limit": {"amount": 1, "per": "week"}}, "#/spend_limit/per"),
        ({"spend_limit": {"amount": 1}}, "#/spend_limit/per"),
        ({"spend_limit": {"amount": 1, "per": "day", "more": 1}}, "#/spend_limit/more"),
    ],
    ids=str,
)
def test_invalid_member_is_rejected(client: Client, members: dict[str, Any], pointer: str) -> None:
    problem = expect.problem(client.post(KEYS, json={"name": "x", **members}), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert client.rows("api_keys") == []


def test_file_is_billed_up_to_the_limit_of_its_key(client: Client, connect: Connect) -> None:
    created = create_key(client, spend_limit={"amount": 10, "per": "total"})
    program = connect(bearer=created["key"])
    path = upload(program, b"operation,arguments\n" + b"square_root,[4]\n" * 4)
    task = ended(program, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("out_of_credit", 2, 10)
    assert "spending limit of the task's API key does not cover row 3 (line 4)" in task["error"]
    assert exact(client.get(f"{KEYS}/{created['id']}"))["spent"] == 10
    assert program.post(f"{path}/resume").status_code == 202
    assert ended(program, path)["rows_done"] == 2
    assert client.post(f"{path}/resume").status_code == 202
    assert ended(client, path)["status"] == "completed"
    assert client.balance == 0
