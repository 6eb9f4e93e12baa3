"""Admins' management of accounts, and a user's own profile."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, PASSWORD, Client, exact, new_email

USERS = f"{API}/users"
PUBLIC = {"id", "email", "role", "balance", "created_at", "deleted_at", "status", "low_balance_threshold"}


def create_user(admin: Client, **members: Any) -> dict[str, Any]:
    response = admin.post(USERS, json={"email": new_email(), "password": "12345678", **members})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{USERS}/{response.json()['id']}"
    return dict(exact(response))


def test_new_user_is_a_client_with_20_credits_by_default(admin: Client) -> None:
    created = create_user(admin)
    assert (created["role"], created["balance"], created["deleted_at"]) == ("client", 20, None)
    assert exact(admin.get(f"{USERS}/{created['id']}")) == created


@pytest.mark.parametrize(
    ("members", "balance"),
    [
        ({"role": "admin"}, "100"),
        ({"balance": 0}, "0"),
        ({"balance": 12.3456}, "12.3456"),
        ({"role": "admin", "balance": 1}, "1"),
        ({"balance": None}, "20"),
        ({"balance": 99_999_999_999_999}, "99999999999999"),
    ],
    ids=str,
)
def test_opening_credit_depends_on_the_role_unless_given(
    admin: Client, members: dict[str, Any], balance: str
) -> None:
    created = create_user(admin, **members)
    assert created["balance"] == Decimal(balance)
    (opening,) = admin.rows("ledger", user_id=created["id"])
    assert (opening["kind"], opening["amount"]) == ("opening", created["balance"])


def test_no_response_contains_a_password_or_its_hash(admin: Client, client: Client) -> None:
    one = f"{USERS}/{client.id}"
    responses = [
        admin.post(USERS, json={"email": new_email(), "password": PASSWORD}),
        admin.get(one),
        admin.get(USERS, params={"page_size": 100}),
        client.get(f"{USERS}/me"),
    ]
    for response in responses:
        assert response.is_success
        assert "argon2" not in response.text
        assert "password" not in response.text
        assert PASSWORD not in response.text
    assert exact(admin.get(one)).keys() == PUBLIC
    for query in ({"fields": "password_hash"}, {"password_hash": "x"}, {"sort": "password_hash"}):
        expect.problem(admin.get(USERS, params=query), 422)


def test_user_sees_their_own_profile(client: Client, admin: Client) -> None:
    assert client.me.keys() == PUBLIC
    assert client.me == exact(admin.get(f"{USERS}/{client.id}"))


def test_email_in_use_returns_409_regardless_of_case(admin: Client, client: Client) -> None:
    body = {"email": client.email.upper(), "password": PASSWORD}
    expect.problem(admin.post(USERS, json=body), 409)
    another = create_user(admin)
    expect.problem(admin.patch(f"{USERS}/{another['id']}", json={"email": client.email}), 409)


def test_change_returns_204_without_a_body(admin: Client, client: Client, connect: Connect) -> None:
    email, before = new_email(), client.me
    response = admin.patch(f"{USERS}/{client.id}", json={"email": email.upper(), "role": "admin"})
    assert (response.status_code, response.content) == (204, b"")
    assert client.me == {**before, "email": email, "role": "admin"}
    assert client.get(USERS).status_code == 200
    assert connect().sign_in(email).status_code == 200


def test_admin_may_set_a_password_that_breaks_the_policy(admin: Client, connect: Connect) -> None:
    created = create_user(admin)
    assert admin.patch(f"{USERS}/{created['id']}", json={"password": "abcdefgh"}).status_code == 204
    assert connect().sign_in(created["email"], "abcdefgh").status_code == 200


@pytest.mark.parametrize("balance", [0, 7.5, 20, 1000])
def test_setting_the_balance_writes_the_difference_to_the_ledger(
    admin: Client, client: Client, balance: float
) -> None:
    assert admin.patch(f"{USERS}/{client.id}", json={"balance": balance}).status_code == 204
    assert client.balance == Decimal(str(balance))
    statement = client.rows("ledger")
    expect.sound_statement(statement, client.balance)
    adjustments = [entry["amount"] for entry in statement if entry["kind"] == "adjustment"]
    assert adjustments == ([] if balance == 20 else [Decimal(str(balance)) - 20])


def test_inactive_user_can_neither_call_nor_refresh_nor_use_a_key(
    admin: Client, client: Client, connect: Connect
) -> None:
    user_id, program = (
        client.id,
        connect(bearer=exact(client.post(f"{API}/api_keys", json={"name": "x"}))["key"]),
    )
    assert admin.patch(f"{USERS}/{user_id}", json={"status": "inactive"}).status_code == 204
    for caller in (client, program):
        expect.problem(caller.get(f"{USERS}/me"), 401)
        expect.problem(caller.compute(), 401)
        expect.problem(caller.post(f"{API}/tasks", json={"filename": "x", "size": 1}), 401)
    expect.problem(client.refresh(), 401)
    shown = exact(admin.get(f"{USERS}/{user_id}"))
    assert (shown["status"], shown["balance"]) == ("inactive", 20)
    assert shown["id"] in [user["id"] for user in admin.rows("users", status="inactive")]
    assert admin.post(f"{USERS}/{user_id}/credits", json={"amount": 1, "reason": "x"}).status_code == 200
    assert admin.patch(f"{USERS}/{user_id}", json={"status": "active"}).status_code == 204
    assert program.balance == 21
    expect.problem(client.get(f"{USERS}/me"), 401)
    assert client.sign_in(client.email).status_code == 200


def test_sign_in_reveals_that_an_account_is_inactive_only_to_the_right_password(
    admin: Client, client: Client, isolated_client: Client
) -> None:
    assert admin.patch(f"{USERS}/{client.id}", json={"status": "inactive"}).status_code == 204
    problem = expect.problem(isolated_client.sign_in(client.email), 403)
    assert problem["type"] == "/problems/account-inactive"
    for password in ("wrong-horse-2!", "wrong"):
        wrong = expect.problem(isolated_client.sign_in(client.email, password), 401)
        unknown = expect.problem(isolated_client.sign_in(new_email(), "wrong"), 401)
        assert {**wrong, "instance": ""} == {**unknown, "instance": ""}


def test_user_may_be_created_inactive(admin: Client, isolated_client: Client) -> None:
    created = create_user(admin, status="inactive", password=PASSWORD)
    assert created["status"] == "inactive"
    expect.problem(isolated_client.sign_in(created["email"]), 403)


def test_deactivation_cancels_the_unfinished_tasks(admin: Client, client: Client) -> None:
    user_id = client.id
    task_id = exact(client.post(f"{API}/tasks", json={"filename": "x", "size": 1}))["id"]
    assert admin.patch(f"{USERS}/{user_id}", json={"status": "inactive"}).status_code == 204
    task = exact(admin.get(f"{API}/tasks/{task_id}"))
    assert task["status"] == "cancelled"
    assert (
        task["error"] == "The account is inactive. Resume the task after an admin has activated the account."
    )


def change_password(client: Client, current: str, new: str) -> Response:
    return client.post(f"{USERS}/me/password", json={"current_password": current, "new_password": new})


def test_own_password_change_ends_the_other_sessions_and_keeps_this_one_and_the_keys(
    client: Client, connect: Connect, isolated_client: Client
) -> None:
    program = connect(bearer=exact(client.post(f"{API}/api_keys", json={"name": "x"}))["key"])
    elsewhere = connect()
    assert elsewhere.sign_in(client.email).status_code == 200
    response = change_password(client, PASSWORD, "another-horse-3!")
    assert (response.status_code, response.content) == (204, b"")
    expect.problem(elsewhere.get(f"{USERS}/me"), 401)
    expect.problem(elsewhere.refresh(), 401)
    assert client.balance == program.balance == 20
    assert client.refresh().status_code == 200
    assert [session["current"] for session in client.rows("sessions")] == [True]
    expect.problem(isolated_client.sign_in(client.email), 401)
    assert isolated_client.sign_in(client.email, "another-horse-3!").status_code == 200


def test_wrong_current_password_is_rejected_and_counts_as_a_failed_sign_in(isolated_client: Client) -> None:
    client = isolated_client.sign_up()
    for _ in range(5):
        problem = expect.problem(change_password(client, "wrong-horse-2!", "another-horse-3!"), 401)
        assert problem["type"] == "/problems/wrong-credentials"
    expect.problem(change_password(client, PASSWORD, "another-horse-3!"), 429)
    expect.problem(client.sign_in(client.email), 429)
    assert client.balance == 20


@pytest.mark.parametrize("new", ["short1!", "no-digit-here!", "nosymbol123", "x1!" * 50])
def test_own_new_password_must_follow_the_policy(client: Client, new: str) -> None:
    assert expect.pointers(change_password(client, PASSWORD, new)) == ["#/new_password"]
    assert client.sign_in(client.email).status_code == 200


def test_api_key_cannot_change_the_password(client: Client, connect: Connect) -> None:
    program = connect(bearer=exact(client.post(f"{API}/api_keys", json={"name": "x"}))["key"])
    problem = expect.problem(change_password(program, PASSWORD, "another-horse-3!"), 403)
    assert problem["type"] == "/problems/insufficient-scope"
    assert client.sign_in(client.email).status_code == 200


def test_admin_cannot_deactivate_themselves(account: Callable[..., Client]) -> None:
    one = account(role="admin")
    expect.problem(one.patch(f"{USERS}/{one.id}", json={"status": "inactive"}), 409)
    assert one.patch(f"{USERS}/{one.id}", json={"status": "active"}).status_code == 204
    assert one.me["status"] == "active"


def test_deleted_user_is_shown_only_to_an_admin_who_requests_it(admin: Client, connect: Connect) -> None:
    created = create_user(admin)
    one = f"{USERS}/{created['id']}"
    assert exact(admin.delete(one))["status"] == "success"
    expect.problem(admin.get(one), 404)
    expect.problem(admin.patch(one, json={"role": "admin"}), 404)
    expect.problem(admin.delete(one), 404)
    expect.problem(admin.post(f"{one}/credits", json={"amount": 1, "reason": "x"}), 404)
    assert admin.rows("users", id=created["id"]) == []
    (deleted,) = admin.rows("users", id=created["id"], deleted="true")
    assert deleted == {**created, "deleted_at": deleted["deleted_at"]}
    assert deleted["deleted_at"].endswith("Z")
    again = create_user(admin, email=created["email"])
    assert again["id"] != created["id"]


def test_unknown_user_is_not_found(admin: Client) -> None:
    nothing = f"{USERS}/{uuid4()}"
    expect.problem(admin.get(nothing), 404)
    expect.problem(admin.patch(nothing, json={"role": "client"}), 404)
    expect.problem(admin.delete(nothing), 404)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"balance": -0.0001}, "#/balance"),
        ({"balance": 1.00001}, "#/balance"),
        ({"role": "owner"}, "#/role"),
        ({"status": "suspended"}, "#/status"),
        ({"password": "seven77"}, "#/password"),
        ({"password": "x" * 129}, "#/password"),
        ({"email": "nobody"}, "#/email"),
        ({"id": str(UUID(int=1))}, "#/id"),
        ({"password_hash": "x"}, "#/password_hash"),
    ],
    ids=str,
)
def test_invalid_change_is_rejected_with_its_pointer(
    admin: Client, account: Callable[..., Client], change: dict[str, Any], pointer: str
) -> None:
    one = account()
    before = one.me
    assert expect.pointers(admin.patch(f"{USERS}/{before['id']}", json=change)) == [pointer]
    assert one.me == before


def test_empty_change_is_rejected(admin: Client, client: Client) -> None:
    expect.problem(admin.patch(f"{USERS}/{client.id}", json={}), 422)
