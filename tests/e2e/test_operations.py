"""The price list: all users read it, admins change it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact

OPERATIONS = f"{API}/operations"
TYPES = {"addition", "substraction", "multiplication", "division", "square_root", "random_string"}


def operation_of(client: Client, type: str) -> dict[str, Any]:
    (operation,) = client.rows("operations", type=type)
    return operation


@pytest.fixture
def root(admin: Client) -> Iterator[dict[str, Any]]:
    """The price of the square root, restored after the test."""
    before = operation_of(admin, "square_root")
    yield before
    now = admin.rows("operations", type="square_root")
    if not now:
        restored = admin.post(OPERATIONS, json={"type": "square_root", "cost": float(before["cost"])})
        assert restored.status_code == 201
    elif now[0]["cost"] != before["cost"]:
        admin.patch(f"{OPERATIONS}/{now[0]['id']}", json={"cost": float(before["cost"])})


def test_price_list_has_every_operation_with_its_cost(client: Client) -> None:
    operations = client.rows("operations")
    assert {operation["type"] for operation in operations} == TYPES
    for operation in operations:
        assert operation["cost"] == 5
        assert operation["deleted_at"] is None
        assert exact(client.get(f"{OPERATIONS}/{operation['id']}")) == operation


def test_unknown_operation_is_not_found(admin: Client) -> None:
    nothing = f"{OPERATIONS}/{uuid4()}"
    expect.problem(admin.get(nothing), 404)
    expect.problem(admin.patch(nothing, json={"cost": 1}), 404)
    expect.problem(admin.delete(nothing), 404)


def test_new_price_applies_to_later_calls_only(admin: Client, client: Client, root: dict[str, Any]) -> None:
    earlier = exact(client.compute("square_root", 9))
    updated = exact(admin.patch(f"{OPERATIONS}/{root['id']}", json={"cost": 0.1234}))
    assert updated == {**root, "cost": Decimal("0.1234")}
    later = exact(client.compute("square_root", 9))
    assert (later["amount"], later["user_balance"]) == (Decimal("0.1234"), Decimal("14.8766"))
    assert exact(client.get(f"{API}/records/{earlier['record_id']}"))["amount"] == 5


def test_operation_may_be_free(admin: Client, client: Client, root: dict[str, Any]) -> None:
    admin.patch(f"{OPERATIONS}/{root['id']}", json={"cost": 0})
    assert exact(client.compute("square_root", 9))["user_balance"] == 20
    (entry, opening) = client.rows("ledger")
    assert (entry["kind"], entry["amount"], opening["kind"]) == ("charge", 0, "opening")


def test_operation_without_a_price_cannot_be_called_but_keeps_its_records(
    admin: Client, client: Client, root: dict[str, Any]
) -> None:
    record = exact(client.compute("square_root", 9))["record_id"]
    assert exact(admin.delete(f"{OPERATIONS}/{root['id']}"))["status"] == "success"
    assert expect.pointers(client.compute("square_root", 9)) == ["#/type"]
    assert client.balance == 15
    assert exact(client.get(f"{API}/records/{record}"))["operation_id"] == root["id"]
    expect.problem(client.get(f"{OPERATIONS}/{root['id']}"), 404)
    expect.problem(admin.delete(f"{OPERATIONS}/{root['id']}"), 404)
    assert client.rows("operations", type="square_root") == []
    deleted = admin.rows("operations", type="square_root", deleted="true")
    assert root["id"] in [operation["id"] for operation in deleted if operation["deleted_at"]]


def test_deleted_price_can_be_created_again(admin: Client, client: Client, root: dict[str, Any]) -> None:
    admin.delete(f"{OPERATIONS}/{root['id']}")
    response = admin.post(OPERATIONS, json={"type": "square_root", "cost": 2.5})
    assert response.status_code == 201
    created = exact(response)
    assert response.headers["Location"] == f"{OPERATIONS}/{created['id']}"
    assert created == exact(client.get(response.headers["Location"]))
    assert (created["type"], created["cost"]) == ("square_root", Decimal("2.5"))
    assert created["id"] != root["id"]
    assert exact(client.compute("square_root", 9))["user_balance"] == Decimal("17.5")


@pytest.mark.parametrize("type", ["addition", "substraction", "subtraction"])
def test_second_price_of_an_operation_returns_409(admin: Client, type: str) -> None:
    expect.problem(admin.post(OPERATIONS, json={"type": type, "cost": 1}), 409)


@pytest.mark.parametrize("body", [{"type": "square_root"}, {"type": "modulo", "cost": 1}])
def test_patch_cannot_change_the_type(
    admin: Client, client: Client, root: dict[str, Any], body: dict[str, Any]
) -> None:
    assert expect.pointers(admin.patch(f"{OPERATIONS}/{root['id']}", json=body)) == ["#/type"]
    assert operation_of(client, "square_root") == root


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "modulo", "cost": 1}, "#/type"),
        ({"type": "addition", "cost": -1}, "#/cost"),
        ({"type": "addition", "cost": 0.00001}, "#/cost"),
        ({"type": "addition", "cost": 1e15}, "#/cost"),
    ],
    ids=["unknown operation", "negative", "five places", "too much"],
)
def test_invalid_price_is_rejected(admin: Client, body: dict[str, Any], pointer: str) -> None:
    assert expect.pointers(admin.post(OPERATIONS, json=body)) == [pointer]
