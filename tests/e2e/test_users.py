"""Accounts by an admin's hand, and one's own profile."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, PASSWORD, Client, exact, new_email

USERS = f"{API}/users"
PUBLIC = {"id", "email", "role", "balance", "created_at", "deleted_at"}


def make(admin: Client, **members: Any) -> dict[str, Any]:
    response = admin.post(USERS, json={"email": new_email(), "password": "12345678", **members})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{USERS}/{response.json()['id']}"
    return dict(exact(response))


def test_a_new_user_is_a_client_with_credit_20_unless_said_otherwise(admin: Client) -> None:
    made = make(admin)
    assert (made["role"], made["balance"], made["deleted_at"]) == ("client", 20, None)
    assert exact(admin.get(f"{USERS}/{made['id']}")) == made


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
def test_the_opening_credit_is_the_roles_or_what_is_said(
    admin: Client, members: dict[str, Any], balance: str
) -> None:
    made = make(admin, **members)
    assert made["balance"] == Decimal(balance)
    (opening,) = admin.rows("ledger", user_id=made["id"])
    assert (opening["kind"], opening["amount"]) == ("opening", made["balance"])


def test_no_answer_shows_a_password_or_its_hash(admin: Client, client: Client) -> None:
    one = f"{USERS}/{client.id}"
    answers = [
        admin.post(USERS, json={"email": new_email(), "password": PASSWORD}),
        admin.get(one),
        admin.get(USERS, params={"page_size": 100}),
        client.get(f"{USERS}/me"),
    ]
    for answer in answers:
        assert answer.is_success
        assert "argon2" not in answer.text
        assert "password" not in answer.text
        assert PASSWORD not in answer.text
    assert exact(admin.get(one)).keys() == PUBLIC
    for query in ({"fields": "password_hash"}, {"password_hash": "x"}, {"sort": "password_hash"}):
        expect.problem(admin.get(USERS, params=query), 422)


def test_one_sees_ones_own_profile(client: Client, admin: Client) -> None:
    assert client.me.keys() == PUBLIC
    assert client.me == exact(admin.get(f"{USERS}/{client.id}"))


def test_a_taken_email_is_a_conflict_whatever_its_case(admin: Client, client: Client) -> None:
    body = {"email": client.email.upper(), "password": PASSWORD}
    expect.problem(admin.post(USERS, json=body), 409)
    another = make(admin)
    expect.problem(admin.patch(f"{USERS}/{another['id']}", json={"email": client.email}), 409)


def test_a_change_answers_204_with_an_empty_body(admin: Client, client: Client, connect: Connect) -> None:
    email, before = new_email(), client.me
    response = admin.patch(f"{USERS}/{client.id}", json={"email": email.upper(), "role": "admin"})
    assert (response.status_code, response.content) == (204, b"")
    assert client.me == {**before, "email": email, "role": "admin"}
    assert client.get(USERS).status_code == 200
    assert connect().sign_in(email).status_code == 200


def test_an_admin_sets_a_password_that_need_not_comply_with_the_policy(
    admin: Client, connect: Connect
) -> None:
    made = make(admin)
    assert admin.patch(f"{USERS}/{made['id']}", json={"password": "abcdefgh"}).status_code == 204
    assert connect().sign_in(made["email"], "abcdefgh").status_code == 200


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


def test_a_deleted_user_is_out_of_sight_but_to_admins_who_ask(admin: Client, connect: Connect) -> None:
    made = make(admin)
    one = f"{USERS}/{made['id']}"
    assert exact(admin.delete(one))["status"] == "success"
    expect.problem(admin.get(one), 404)
    expect.problem(admin.patch(one, json={"role": "admin"}), 404)
    expect.problem(admin.delete(one), 404)
    expect.problem(admin.post(f"{one}/credits", json={"amount": 1, "reason": "x"}), 404)
    assert admin.rows("users", id=made["id"]) == []
    (gone,) = admin.rows("users", id=made["id"], deleted="true")
    assert gone == {**made, "deleted_at": gone["deleted_at"]}
    assert gone["deleted_at"].endswith("Z")
    again = make(admin, email=made["email"])
    assert again["id"] != made["id"]


def test_a_user_that_is_not_there_is_not_found(admin: Client) -> None:
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
        ({"password": "seven77"}, "#/password"),
        ({"password": "x" * 129}, "#/password"),
        ({"email": "nobody"}, "#/email"),
        ({"id": str(UUID(int=1))}, "#/id"),
        ({"password_hash": "x"}, "#/password_hash"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_is_refused(
    admin: Client, account: Callable[..., Client], change: dict[str, Any], pointer: str
) -> None:
    one = account()
    before = one.me
    assert expect.pointers(admin.patch(f"{USERS}/{before['id']}", json=change)) == [pointer]
    assert one.me == before


def test_a_change_of_nothing_is_refused(admin: Client, client: Client) -> None:
    expect.problem(admin.patch(f"{USERS}/{client.id}", json={}), 422)
