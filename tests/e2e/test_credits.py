"""POST /users/{id}/credits and GET /ledger."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact

LEDGER = f"{API}/ledger"


def grant(admin: Client, user_id: str, amount: float, key: str | None = None, reason: str = "a gift") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"amount": amount, "reason": reason}
    return admin.post(f"{API}/users/{user_id}/credits", json=body, headers=headers)


def test_grants_change_the_balance_and_record_their_reason_in_the_ledger(
    admin: Client, client: Client
) -> None:
    given = exact(grant(admin, client.id, 30.5))
    assert (given["user_id"], given["amount"], given["user_balance"]) == (
        client.id,
        Decimal("30.5"),
        Decimal("50.5"),
    )
    removed = exact(grant(admin, client.id, -50.5, reason="a mistake"))
    assert (removed["amount"], removed["user_balance"]) == (Decimal("-50.5"), 0)
    assert client.balance == 0
    statement = client.rows("ledger")
    expect.sound_statement(statement, Decimal(0))
    newest, before, _ = statement
    assert (newest["id"], newest["kind"], newest["reference"]["reason"]) == (
        removed["id"],
        "grant",
        "a mistake",
    )
    assert (before["id"], before["kind"], before["reference"]["reason"]) == (given["id"], "grant", "a gift")


def test_grant_never_makes_the_balance_negative(admin: Client, client: Client) -> None:
    assert expect.pointers(grant(admin, client.id, -20.0001)) == ["#/amount"]
    assert client.balance == 20
    assert len(client.rows("ledger")) == 1


def test_grant_repeated_with_its_key_is_applied_once(admin: Client, client: Client) -> None:
    key = str(uuid4())
    first, again = grant(admin, client.id, 5, key), grant(admin, client.id, 5, key)
    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.balance == 25


def test_key_reused_for_another_grant_is_rejected(admin: Client, client: Client, other: Client) -> None:
    key = str(uuid4())
    assert grant(admin, client.id, 5, key).status_code == 200
    expect.problem(grant(admin, client.id, 6, key), 422)
    expect.problem(grant(admin, client.id, 5, key, reason="another"), 422)
    expect.problem(grant(admin, other.id, 5, key), 422)
    assert (client.balance, other.balance) == (25, 20)


def test_rejected_grant_does_not_consume_its_key(admin: Client, client: Client) -> None:
    key = str(uuid4())
    expect.problem(grant(admin, client.id, -21, key), 422)
    assert grant(admin, client.id, 1, key).status_code == 200
    assert client.balance == 21


def test_grant_to_an_unknown_user_is_not_found(admin: Client) -> None:
    expect.problem(grant(admin, str(uuid4()), 5), 404)


@pytest.mark.parametrize("amount", [1e-5, 1e15, "5", None, True])
def test_invalid_amount_is_rejected(admin: Client, client: Client, amount: Any) -> None:
    assert expect.pointers(grant(admin, client.id, amount)) == ["#/amount"]
    assert client.balance == 20


def test_grant_beyond_the_largest_balance_is_rejected(admin: Client, account: Callable[..., Client]) -> None:
    rich = account(balance=99_999_999_999_999)
    expect.problem(grant(admin, rich.id, 99_999_999_999_999), 422)
    assert rich.balance == 99_999_999_999_999
    expect.sound_statement(rich.rows("ledger"), rich.balance)


def test_ledger_has_every_movement_with_the_balance_after_it(admin: Client, client: Client) -> None:
    record = exact(client.compute())["record_id"]
    grant(admin, client.id, 4)
    admin.patch(f"{API}/users/{client.id}", json={"balance": 12})
    statement = client.rows("ledger")
    assert [(entry["kind"], entry["amount"], entry["balance_after"]) for entry in statement] == [
        ("adjustment", -7, 12),
        ("grant", 4, 19),
        ("charge", -5, 15),
        ("opening", 20, 20),
    ]
    assert statement[2]["reference"] == {"record_id": record}
    assert all(entry["user_id"] == client.id and entry["date"].endswith("Z") for entry in statement)
    expect.sound_statement(statement, client.balance)


def test_client_sees_own_ledger_and_admin_sees_all(admin: Client, client: Client, other: Client) -> None:
    assert {entry["user_id"] for entry in client.rows("ledger")} == {client.id}
    assert client.rows("ledger", user_id=other.id) == []
    assert admin.rows("ledger", user_id=other.id) == other.rows("ledger")


def test_ledger_can_be_filtered_by_kind_and_amount(client: Client) -> None:
    client.compute()
    assert [entry["kind"] for entry in client.rows("ledger", kind="charge")] == ["charge"]
    assert [entry["kind"] for entry in client.rows("ledger", amount__gt="0")] == ["opening"]
    problem = expect.problem(client.get(LEDGER, params={"kind": "theft"}), 422)
    assert "kind" in problem["detail"]
