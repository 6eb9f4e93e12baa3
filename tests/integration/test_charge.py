"""The charge: exactly once, exactly the price, or not at all."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared import database
from shared.auth import caller as auth
from shared.auth.caller import Credentials
from shared.billing import charges
from shared.errors import (
    IdempotencyKeyReused,
    InsufficientCredit,
    InvalidInput,
    NotSignedIn,
)
from shared.ids import uuid7
from tests.support.charging import books, charge, kind_of
from tests.support.users import Person, enrol

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


def test_a_charge_debits_exactly_the_price_and_records_it(client: Person, sql: Sql) -> None:
    said = json.loads(charge(client).body)
    assert (said["status"], said["result"], said["amount"], said["user_balance"]) == ("success", 3, 5, 15)
    assert books(sql, client) == (15, 1, 1)
    ((record_id, amount, balance, arguments, response, price),) = sql(
        """SELECT r.id, amount, user_balance, arguments, operation_response, o.type
           FROM records r JOIN operations o ON o.id = r.operation_id WHERE user_id = :id""",
        id=client.id,
    )
    assert (str(record_id), amount, balance, arguments, response, price) == (
        said["record_id"],
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
    assert (entry, before, after, reference) == (-5, 20, 15, {"record_id": said["record_id"]})


def test_a_price_of_four_places_is_debited_to_the_last_one(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0.0001 WHERE type = 'addition'")
    bodies = [json.loads(charge(client).body, parse_float=Decimal) for _ in range(3)]
    assert [body["user_balance"] for body in bodies] == [Decimal(f"19.999{n}") for n in (9, 8, 7)]
    assert books(sql, client)[0] == Decimal("19.9997")


def test_without_enough_credit_nothing_is_charged_and_both_sums_are_told(sql: Sql) -> None:
    poor = enrol(balance=Decimal("4.9999"))
    with pytest.raises(InsufficientCredit) as caught:
        charge(poor, "key")
    assert (caught.value.balance, caught.value.cost) == (Decimal("4.9999"), Decimal(5))
    assert books(sql, poor) == (Decimal("4.9999"), 0, 0)


def test_the_very_last_credit_can_be_spent(sql: Sql) -> None:
    person = enrol(balance=5)
    assert json.loads(charge(person).body)["user_balance"] == 0
    assert kind_of(lambda: charge(person)) == "InsufficientCredit"
    assert books(sql, person) == (0, 1, 1)


def test_a_free_operation_is_recorded_even_on_no_credit(sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0 WHERE type = 'addition'")
    broke = enrol(balance=0)
    said = json.loads(charge(broke, "key").body)
    assert (said["amount"], said["user_balance"]) == (0, 0)
    assert charge(broke, "key").replayed
    assert books(sql, broke) == (0, 1, 1)
    assert charges.audit() == []


def test_an_unpriced_operation_cant_be_called(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET deleted_at = now() WHERE type = 'addition'")
    with pytest.raises(InvalidInput) as caught:
        charge(client)
    assert caught.value.errors[0]["pointer"] == "#/type"
    assert books(sql, client) == (20, 0, 0)


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE users SET deleted_at = now() WHERE id = :id",
        "UPDATE sessions SET revoked_at = now() WHERE user_id = :id",
        "UPDATE sessions SET expires_at = now() WHERE user_id = :id",
    ],
)
def test_a_deleted_user_and_an_ended_session_are_not_signed_in(client: Person, sql: Sql, ending: str) -> None:
    charge(client, "key")
    sql(ending, id=client.id)
    for key in (None, "key", "other"):
        with pytest.raises(NotSignedIn):
            charge(client, key)
    assert books(sql, client) == (15, 1, 1)


def test_an_api_key_pays_as_its_owner_until_it_is_revoked(client: Person, sql: Sql) -> None:
    key, key_hash = auth.new_api_key()
    key_id = uuid7()
    database.one("create_api_key", id=key_id, user_id=client.id, name="program", key_hash=key_hash, key=key)
    presented = Credentials(api_key_hash=auth.hash_api_key(key))
    assert json.loads(charge(presented).body)["user_balance"] == 15
    assert books(sql, client) == (15, 1, 1)
    database.one("revoke_api_key", id=key_id, user_id=client.id)
    with pytest.raises(NotSignedIn):
        charge(presented)


def test_a_replay_is_the_first_answer_byte_for_byte(client: Person, sql: Sql) -> None:
    first = charge(client, "key")
    charge(client)  # the balance has moved on
    sql("UPDATE operations SET cost = 7 WHERE type = 'addition'")
    again = charge(client, "key")
    assert again.body.encode() == first.body.encode()
    assert (first.headers, again.headers) == ({}, {"Idempotent-Replayed": "true"})
    assert books(sql, client) == (10, 2, 2)


def test_a_replay_needs_neither_credit_nor_a_price_any_more(sql: Sql) -> None:
    person = enrol(balance=5)
    first = charge(person, "key")
    sql("UPDATE operations SET deleted_at = now() WHERE type = 'addition'")
    assert charge(person, "key").body == first.body


@pytest.mark.parametrize(
    "other", [{"arguments": "[1, 3]"}, {"arguments": "[1, 2, 0]"}, {"operation": "multiplication"}], ids=str
)
def test_a_key_with_another_payload_is_refused(client: Person, sql: Sql, other: dict[str, str]) -> None:
    charge(client, "key")
    with pytest.raises(IdempotencyKeyReused):
        charge(client, "key", **other)
    assert books(sql, client) == (15, 1, 1)


@pytest.mark.parametrize("arguments", ["[1.0, 2]", "[1, 2.00]", "[1e0, 0.2e1]"])
def test_the_same_numbers_written_otherwise_are_the_same_payload(client: Person, arguments: str) -> None:
    charge(client, "key")
    assert charge(client, "key", arguments=arguments).replayed


def test_numbers_that_differ_only_past_a_doubles_digits_are_another_payload(client: Person) -> None:
    charge(client, "key", arguments="[0.1, 2]")
    with pytest.raises(IdempotencyKeyReused):
        charge(client, "key", arguments="[0.1000000000000000000000000000000001, 2]")


def test_a_key_is_its_users_own(client: Person, sql: Sql) -> None:
    other = enrol()
    assert not charge(client, "key").replayed
    assert not charge(other, "key").replayed
    assert books(sql, client) == books(sql, other) == (15, 1, 1)


@pytest.mark.parametrize(("age", "charged"), [("71 hours 59 minutes", 1), ("72 hours", 2)])
def test_a_key_is_kept_for_72_hours(client: Person, sql: Sql, age: str, charged: int) -> None:
    charge(client, "key")
    sql("UPDATE idempotency_keys SET created_at = now() - CAST(:age AS interval)", age=age)
    charge(client, "key")
    assert books(sql, client) == (20 - 5 * charged, charged, charged)
    assert charge(client, "key").replayed


def test_a_refusal_stores_nothing_so_that_the_key_is_good_after_a_top_up(admin: Person, sql: Sql) -> None:
    person = enrol(balance=0)
    assert kind_of(lambda: charge(person, "key")) == "InsufficientCredit"
    charges.grant(admin.caller, person.id, Decimal(5), "top-up", None)
    assert kind_of(lambda: charge(person, "key")) == "charged"
    assert books(sql, person) == (0, 1, 1)
