"""The charge: exactly once and exactly the price, or not at all."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared import database
from shared.billing import charges
from shared.errors import (
    IdempotencyKeyReused,
    InsufficientCredit,
    InvalidInput,
    NotSignedIn,
)
from tests.support.audit import mismatches
from tests.support.charging import balance_and_counts, charge, outcome_of
from tests.support.users import Person, create_api_key, create_person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


def test_charge_debits_exactly_the_price_and_records_the_call(client: Person, sql: Sql) -> None:
    body = json.loads(charge(client).body)
    assert (body["status"], body["result"], body["amount"], body["user_balance"]) == ("success", 3, 5, 15)
    assert balance_and_counts(sql, client) == (15, 1, 1)
    ((record_id, amount, balance, arguments, response, price),) = sql(
        """SELECT r.id, amount, user_balance, arguments, operation_response, o.type
           FROM records r JOIN operations o ON o.id = r.operation_id WHERE user_id = :id""",
        id=client.id,
    )
    assert (str(record_id), amount, balance, arguments, response, price) == (
        body["record_id"],
        5,
        15,
        [1, 2],
        3,
        "addition",
    )
    ((entry, before, after, reference),) = sql(
        "SELECT amount, balance_before, balance_after, reference FROM ledger"
        " WHERE user_id = :id AND kind = 'charge'",
        id=client.id,
    )
    assert (entry, before, after, reference) == (-5, 20, 15, {"record_id": body["record_id"]})


def test_price_with_four_decimal_places_is_debited_exactly(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0.0001 WHERE type = 'addition'")
    bodies = [json.loads(charge(client).body, parse_float=Decimal) for _ in range(3)]
    assert [body["user_balance"] for body in bodies] == [Decimal(f"19.999{n}") for n in (9, 8, 7)]
    assert balance_and_counts(sql, client)[0] == Decimal("19.9997")


def test_charge_without_enough_credit_changes_nothing_and_reports_balance_and_cost(sql: Sql) -> None:
    poor = create_person(balance=Decimal("4.9999"))
    with pytest.raises(InsufficientCredit) as caught:
        charge(poor, "key")
    assert (caught.value.balance, caught.value.cost) == (Decimal("4.9999"), Decimal(5))
    assert balance_and_counts(sql, poor) == (Decimal("4.9999"), 0, 0)


def test_charge_can_use_the_last_credit(sql: Sql) -> None:
    person = create_person(balance=5)
    assert json.loads(charge(person).body)["user_balance"] == 0
    assert outcome_of(lambda: charge(person)) == "InsufficientCredit"
    assert balance_and_counts(sql, person) == (0, 1, 1)


def test_free_operation_is_recorded_even_with_a_balance_of_zero(sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0 WHERE type = 'addition'")
    broke = create_person(balance=0)
    body = json.loads(charge(broke, "key").body)
    assert (body["amount"], body["user_balance"]) == (0, 0)
    assert charge(broke, "key").replayed
    assert balance_and_counts(sql, broke) == (0, 1, 1)
    assert mismatches() == []


def test_charge_rejects_an_operation_without_a_price(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET deleted_at = now() WHERE type = 'addition'")
    with pytest.raises(InvalidInput) as caught:
        charge(client)
    assert caught.value.errors[0]["pointer"] == "#/type"
    assert balance_and_counts(sql, client) == (20, 0, 0)


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE users SET deleted_at = now() WHERE id = :id",
        "UPDATE sessions SET revoked_at = now() WHERE user_id = :id",
        "UPDATE sessions SET expires_at = now() WHERE user_id = :id",
    ],
)
def test_charge_rejects_a_deleted_user_and_an_ended_session(client: Person, sql: Sql, ending: str) -> None:
    charge(client, "key")
    sql(ending, id=client.id)
    for key in (None, "key", "other"):
        with pytest.raises(NotSignedIn):
            charge(client, key)
    assert balance_and_counts(sql, client) == (15, 1, 1)


def test_api_key_charges_its_owner_until_it_is_revoked(client: Person, sql: Sql) -> None:
    key = create_api_key(client.id)
    assert json.loads(charge(key.credentials).body)["user_balance"] == 15
    assert balance_and_counts(sql, client) == (15, 1, 1)
    database.one("revoke_api_key", id=key.id, user_id=client.id, admin_id=None, audit_id=None)
    with pytest.raises(NotSignedIn):
        charge(key.credentials)


def test_replay_returns_the_first_response_byte_for_byte(client: Person, sql: Sql) -> None:
    first = charge(client, "key")
    charge(client)  # changes the balance
    sql("UPDATE operations SET cost = 7 WHERE type = 'addition'")
    again = charge(client, "key")
    assert again.body.encode() == first.body.encode()
    assert (first.headers, again.headers) == ({}, {"Idempotent-Replayed": "true"})
    assert balance_and_counts(sql, client) == (10, 2, 2)


def test_replay_needs_neither_credit_nor_a_price(sql: Sql) -> None:
    person = create_person(balance=5)
    first = charge(person, "key")
    sql("UPDATE operations SET deleted_at = now() WHERE type = 'addition'")
    assert charge(person, "key").body == first.body


@pytest.mark.parametrize(
    "other", [{"arguments": "[1, 3]"}, {"arguments": "[1, 2, 0]"}, {"operation": "multiplication"}], ids=str
)
def test_reused_key_with_another_payload_is_rejected(client: Person, sql: Sql, other: dict[str, str]) -> None:
    charge(client, "key")
    with pytest.raises(IdempotencyKeyReused):
        charge(client, "key", **other)
    assert balance_and_counts(sql, client) == (15, 1, 1)


@pytest.mark.parametrize("arguments", ["[1.0, 2]", "[1, 2.00]", "[1e0, 0.2e1]"])
def test_equal_numbers_with_another_notation_are_the_same_payload(client: Person, arguments: str) -> None:
    charge(client, "key")
    assert charge(client, "key", arguments=arguments).replayed


def test_numbers_that_differ_beyond_double_precision_are_another_payload(client: Person) -> None:
    charge(client, "key", arguments="[0.1, 2]")
    with pytest.raises(IdempotencyKeyReused):
        charge(client, "key", arguments="[0.1000000000000000000000000000000001, 2]")


def test_idempotency_key_belongs_to_its_user(client: Person, sql: Sql) -> None:
    other = create_person()
    assert not charge(client, "key").replayed
    assert not charge(other, "key").replayed
    assert balance_and_counts(sql, client) == balance_and_counts(sql, other) == (15, 1, 1)


@pytest.mark.parametrize(("age", "charged"), [("71 hours 59 minutes", 1), ("72 hours", 2)])
def test_idempotency_key_is_kept_for_72_hours(client: Person, sql: Sql, age: str, charged: int) -> None:
    charge(client, "key")
    sql("UPDATE idempotency_keys SET created_at = now() - CAST(:age AS interval)", age=age)
    charge(client, "key")
    assert balance_and_counts(sql, client) == (20 - 5 * charged, charged, charged)
    assert charge(client, "key").replayed


def test_rejected_charge_does_not_consume_its_idempotency_key(admin: Person, sql: Sql) -> None:
    person = create_person(balance=0)
    assert outcome_of(lambda: charge(person, "key")) == "InsufficientCredit"
    charges.grant(admin.caller, person.id, Decimal(5), "top-up", None)
    assert outcome_of(lambda: charge(person, "key")) == "charged"
    assert balance_and_counts(sql, person) == (0, 1, 1)
