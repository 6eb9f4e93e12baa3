"""Grants, balances set by admins, the append-only ledger, and the audit that finds inconsistencies."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pg8000.native
import pytest

from shared import accounts, database
from shared.billing import charges
from shared.errors import IdempotencyKeyReused, InsufficientCredit, InvalidInput, NotFound
from shared.ids import uuid7
from tests.support.audit import mismatches
from tests.support.users import Person, create_person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


def balance(sql: Sql, person: Person) -> Decimal:
    ((found,),) = sql("SELECT balance FROM users WHERE id = :id", id=person.id)
    return Decimal(found)


def entries(sql: Sql, person: Person) -> list[list[Any]]:
    return sql(
        "SELECT kind, amount, balance_after, reference FROM ledger WHERE user_id = :id ORDER BY seq",
        id=person.id,
    )


def test_grant_adds_credit_and_records_its_reason_in_the_ledger(
    admin: Person, client: Person, sql: Sql
) -> None:
    response = charges.grant(admin.caller, client.id, Decimal("7.25"), "a gift", None)
    body = json.loads(response.body)
    assert (body["user_id"], body["amount"], body["reason"], body["user_balance"]) == (
        str(client.id),
        7.25,
        "a gift",
        27.25,
    )
    assert balance(sql, client) == Decimal("27.25")
    assert entries(sql, client)[-1] == [
        "grant",
        Decimal("7.25"),
        Decimal("27.25"),
        {"reason": "a gift", "granted_by": str(admin.id)},
    ]


def test_grant_of_version_1_1_is_not_repeated(admin: Person, client: Person, sql: Sql) -> None:
    first = charges.grant(admin.caller, client.id, Decimal(5), "a gift", "key")
    sql("UPDATE idempotency_keys SET key = 'key'")  # version 1.1 stores it without the route
    retried = charges.grant(admin.caller, client.id, Decimal("5.0"), "a gift", "key")
    assert (retried.body, retried.replayed) == (first.body, True)
    with pytest.raises(IdempotencyKeyReused):
        charges.grant(admin.caller, client.id, Decimal(6), "a gift", "key")
    assert balance(sql, client) == 25


def test_negative_grant_reduces_the_balance_to_zero_at_most(admin: Person, client: Person, sql: Sql) -> None:
    with pytest.raises(InvalidInput) as caught:
        charges.grant(admin.caller, client.id, Decimal("-20.0001"), "too much", "key")
    assert caught.value.errors[0]["pointer"] == "#/amount"
    assert balance(sql, client) == 20
    assert not charges.grant(admin.caller, client.id, Decimal(-20), "all of it", "key").replayed
    assert balance(sql, client) == 0
    assert mismatches() == []


def test_grant_is_replayed_byte_for_byte_and_applied_once(admin: Person, client: Person, sql: Sql) -> None:
    first = charges.grant(admin.caller, client.id, Decimal(5), "gift", "key")
    again = charges.grant(admin.caller, client.id, Decimal(5), "gift", "key")
    assert (again.body, again.replayed) == (first.body, True)
    assert balance(sql, client) == 25
    for other in ({"amount": Decimal(6), "reason": "gift"}, {"amount": Decimal(5), "reason": "bribe"}):
        with pytest.raises(IdempotencyKeyReused):
            charges.grant(admin.caller, client.id, key="key", **other)  # type: ignore[arg-type]
    with pytest.raises(IdempotencyKeyReused):
        charges.grant(admin.caller, admin.id, Decimal(5), "gift", "key")


def test_equal_amount_with_another_notation_is_the_same_grant(admin: Person, client: Person) -> None:
    charges.grant(admin.caller, client.id, Decimal("5"), "gift", "key")
    assert charges.grant(admin.caller, client.id, Decimal("5.00"), "gift", "key").replayed


def test_grant_to_a_deleted_or_unknown_user_raises_not_found(admin: Person, client: Person, sql: Sql) -> None:
    database.one("delete_user", id=client.id, admin_id=uuid7(), audit_id=uuid7())
    for user_id in (client.id, uuid7()):
        with pytest.raises(NotFound):
            charges.grant(admin.caller, user_id, Decimal(5), "gift", None)
    assert balance(sql, client) == 20


def test_concurrent_grants_take_the_last_credit_once(admin: Person, client: Person, sql: Sql) -> None:
    def take_all(_: int) -> bool:
        try:
            charges.grant(admin.caller, client.id, Decimal(-20), "all of it", None)
        except InvalidInput:
            return False
        return True

    assert sum(run_concurrently(8, take_all)) == 1
    assert balance(sql, client) == 0
    assert mismatches() == []


def test_concurrent_grants_with_one_key_apply_once(admin: Person, client: Person, sql: Sql) -> None:
    def give(_: int) -> str:
        try:
            return charges.grant(admin.caller, client.id, Decimal(5), "gift", "key").body
        except Exception as error:
            return type(error).__name__

    body = set(run_concurrently(8, give)) - {"Conflict"}
    assert len(body) == 1
    assert balance(sql, client) == 25


def test_setting_a_balance_writes_the_difference_to_the_ledger(
    admin: Person, client: Person, sql: Sql
) -> None:
    accounts.update_user(admin.id, client.id, {"balance": Decimal("12.5")})
    assert balance(sql, client) == Decimal("12.5")
    assert entries(sql, client)[-1] == [
        "adjustment",
        Decimal("-7.5"),
        Decimal("12.5"),
        {"adjusted_by": str(admin.id)},
    ]
    accounts.update_user(admin.id, client.id, {"balance": Decimal("12.5000")})
    assert len(entries(sql, client)) == 2, "an unchanged balance writes no entry"
    assert mismatches() == []


def test_balances_set_during_charges_stay_consistent(admin: Person, sql: Sql) -> None:
    person = create_person(balance=1000)

    def move(number: int) -> None:
        for step in range(10):
            if number % 3 == 0:
                accounts.update_user(admin.id, person.id, {"balance": Decimal(100 * step)})
            elif number % 3 == 1:
                charges.grant(admin.caller, person.id, Decimal(1), "gift", None)
            else:
                try:
                    charges.charge(charges.Call(person.credentials, "addition", "[1, 2]", None), Decimal(3))
                except InsufficientCredit:
                    continue

    run_concurrently(9, move)
    assert mismatches() == []
    moved = {kind for kind, *_ in entries(sql, person)}
    assert {"opening", "adjustment", "grant", "charge"} <= moved


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger SET amount = amount WHERE user_id = :id",
        "UPDATE ledger SET reference = '{}' WHERE user_id = :id",
        "DELETE FROM ledger WHERE user_id = :id",
        "DELETE FROM ledger WHERE user_id = :id AND false",
        "TRUNCATE ledger",
        "TRUNCATE users CASCADE",
    ],
)
def test_ledger_is_append_only(client: Person, sql: Sql, change: str) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match="append-only"):
        sql(change, **({"id": client.id} if ":id" in change else {}))
    assert len(entries(sql, client)) == 1


@pytest.mark.parametrize(
    "values", ["'charge', 5, 20, 20", "'charge', -25, 20, -5", "'gift', 5, 20, 25", "'charge', NULL, 20, 25"]
)
def test_inconsistent_ledger_entry_is_rejected(client: Person, sql: Sql, values: str) -> None:
    with pytest.raises(pg8000.native.DatabaseError):
        sql(
            "INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)"
            f" VALUES (gen_random_uuid(), :id, {values}, '{{}}')",
            id=client.id,
        )


def test_negative_balance_is_rejected(client: Person, sql: Sql) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match="users_balance_check"):
        sql("UPDATE users SET balance = -0.0001 WHERE id = :id", id=client.id)


def test_audit_is_clean_after_every_kind_of_movement(admin: Person, client: Person) -> None:
    charges.charge(charges.Call(client.credentials, "addition", "[1, 2]", "key"), Decimal(3))
    charges.grant(admin.caller, client.id, Decimal("1.5"), "gift", None)
    accounts.update_user(admin.id, client.id, {"balance": Decimal(3)})
    database.one("delete_user", id=client.id, admin_id=uuid7(), audit_id=uuid7())
    assert mismatches() == []


@pytest.mark.parametrize("change", ["0.0001", "-0.0001", "1000"])
def test_audit_names_the_user_of_a_tampered_balance(client: Person, sql: Sql, change: str) -> None:
    create_person()
    sql(
        "UPDATE users SET balance = balance + CAST(:change AS numeric) WHERE id = :id",
        id=client.id,
        change=change,
    )
    (off,) = mismatches()
    assert (off["id"], off["email"]) == (client.id, client.email)
    assert (off["balance"], off["ledger_total"]) == (20 + Decimal(change), 20)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE ledger SET amount = 15, balance_after = 15 WHERE user_id = :id AND kind = 'opening'",
        "DELETE FROM ledger WHERE user_id = :id AND kind = 'grant'",
        "DELETE FROM ledger WHERE user_id = :id",
    ],
)
def test_audit_finds_a_tampered_ledger(admin: Person, client: Person, sql: Sql, tampering: str) -> None:
    charges.grant(admin.caller, client.id, Decimal(5), "gift", None)
    charges.charge(charges.Call(client.credentials, "addition", "[1, 2]", None), Decimal(3))
    sql("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")
    sql(tampering, id=client.id)
    assert [off["id"] for off in mismatches()] == [client.id]


def test_audit_finds_a_gap_in_the_ledger_even_if_all_sums_are_right(
    admin: Person, client: Person, sql: Sql
) -> None:
    charges.grant(admin.caller, client.id, Decimal(5), "gift", None)
    charges.grant(admin.caller, client.id, Decimal(-5), "back", None)
    sql("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")
    sql(
        "UPDATE ledger SET balance_before = 0, balance_after = amount"
        " WHERE user_id = :id AND amount = 5 AND kind = 'grant'",
        id=client.id,
    )
    (off,) = mismatches()
    assert (off["balance"], off["ledger_total"], off["ledger_newest"]) == (20, 20, 20)
    assert off["broken_at"] is not None
