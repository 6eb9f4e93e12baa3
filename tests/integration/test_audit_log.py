"""The audit log: append-only, in the transaction of the change, and a chain under concurrent changes."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from pg8000.exceptions import DatabaseError

from shared import accounts, database, users
from shared.billing import charges
from shared.errors import NotFound
from shared.ids import uuid7
from tests.support.users import Person, create_person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


def entries(sql: Sql, resource_id: UUID) -> list[list[Any]]:
    """Return actor, action, before and after of each entry of a resource, the oldest first."""
    return sql(
        "SELECT actor_id, action, before, after FROM audit_log WHERE resource_id = :id ORDER BY seq",
        id=resource_id,
    )


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_audit_log_rejects_changes(sql: Sql, admin: Person, client: Person, statement: str) -> None:
    accounts.update_user(admin.id, client.id, {"role": "admin"})
    with pytest.raises(DatabaseError):
        sql(statement)
    assert len(entries(sql, client.id)) == 1


def test_entry_contains_the_changed_fields_only(sql: Sql, admin: Person, client: Person) -> None:
    accounts.update_user(admin.id, client.id, {"balance": Decimal("7.50"), "role": "client"})
    accounts.update_user(admin.id, client.id, {"status": "inactive"})
    assert entries(sql, client.id) == [
        [admin.id, "update", {"balance": 20}, {"balance": 7.5}],
        [admin.id, "update", {"status": "active"}, {"status": "inactive"}],
    ]


def test_changed_password_is_logged_without_the_password_or_its_hash(
    sql: Sql, admin: Person, client: Person
) -> None:
    accounts.update_user(admin.id, client.id, {"password": "Another1!"})
    assert entries(sql, client.id) == [[admin.id, "update", {}, {"password": "changed"}]]


def test_numbers_keep_all_their_digits(sql: Sql, admin: Person, client: Person) -> None:
    accounts.update_user(admin.id, client.id, {"balance": Decimal("99999999999999.9999")})
    ((after,),) = sql("SELECT after::text FROM audit_log")
    assert after == '{"balance": 99999999999999.9999}'


def test_rejected_or_replayed_change_is_not_logged(sql: Sql, admin: Person, client: Person) -> None:
    users.delete(client.id, admin.id)
    for change in (
        lambda: users.delete(client.id, admin.id),
        lambda: accounts.update_user(admin.id, client.id, {"role": "admin"}),
        lambda: charges.grant(admin.caller, client.id, Decimal(1), "x", None),
    ):
        with pytest.raises(NotFound):
            change()
    assert [action for _, action, *_ in entries(sql, client.id)] == ["delete"]
    other = create_person()
    for _ in range(2):
        charges.grant(admin.caller, other.id, Decimal(1), "x", "key")
    assert [action for _, action, *_ in entries(sql, other.id)] == ["grant"]


def test_set_up_and_sign_ups_are_not_logged(sql: Sql) -> None:
    accounts.sign_in("ada@example.com", "Lovelace1!", "192.0.2.1")
    assert sql("SELECT count(*) FROM audit_log") == [[0]]


def test_entries_of_concurrent_changes_of_a_price_are_a_chain(sql: Sql) -> None:
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    admins = [uuid4(), uuid4()]

    def change(number: int) -> None:
        for step in range(10):
            database.one(
                "update_operation",
                id=operation_id,
                cost=Decimal(10 * step + number + 100),
                admin_id=admins[number],
                audit_id=uuid7(),
            )

    run_concurrently(2, change)
    found = entries(sql, operation_id)
    assert len(found) == 20
    costs = [5, *(after["cost"] for *_, after in found)]
    assert [before["cost"] for _, _, before, _ in found] == costs[:-1]
    assert {actor for actor, *_ in found} == set(admins)
    assert sql("SELECT cost FROM operations WHERE id = :id", id=operation_id) == [[costs[-1]]]


def test_entries_of_concurrent_changes_of_a_balance_are_a_chain(
    sql: Sql, admin: Person, client: Person
) -> None:
    def change(number: int) -> None:
        for step in range(10):
            if number == 0:
                charges.grant(admin.caller, client.id, Decimal(step + 1), "x", None)
            else:
                accounts.update_user(admin.id, client.id, {"balance": Decimal(1000 * (step + 1))})

    run_concurrently(2, change)
    found = entries(sql, client.id)
    balances = [20, *(after["balance"] for *_, after in found)]
    assert [before["balance"] for _, _, before, _ in found] == balances[:-1]
    assert (
        json.loads(json.dumps(balances[-1]))
        == sql("SELECT balance FROM users WHERE id = :id", id=client.id)[0][0]
    )
