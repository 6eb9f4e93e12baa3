"""API1, broken object level authorization: objects of other users return 404."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import FOR_ADMINS, WITHOUT_OWNER, Risk, at_risk, exposed, send_request
from tests.support.declared_routes import DOCUMENT, OPERATIONS, Declared
from tests.support.eventually import eventually
from tests.support.http_client import API, Client, exact
from tests.support.webhooks import create_webhook


def create_export(owner: Client) -> str:
    """Create an export, and wait until it no longer changes."""
    path = owner.post(f"{API}/exports", json={"resource": "ledger"}).headers["Location"]
    eventually(lambda: exact(owner.get(path))["status"] == "completed")
    return str(path.rpartition("/")[2])


CREATE: dict[str, Callable[[Client], str]] = {
    f"{API}/tasks": lambda owner: exact(owner.post(f"{API}/tasks", json={"filename": "x", "size": 1}))["id"],
    f"{API}/records": lambda owner: exact(owner.compute())["record_id"],
    f"{API}/exports": create_export,
    f"{API}/sessions": lambda owner: owner.rows("sessions")[0]["id"],
    f"{API}/webhooks": lambda owner: str(create_webhook(owner)["id"]),
    f"{API}/api_keys": lambda owner: exact(owner.post(f"{API}/api_keys", json={"name": "x"}))["id"],
}
"""How to create an object of each resource."""


@pytest.fixture(scope="module")
def owner(connect: Connect) -> Client:
    return connect().sign_up()


@pytest.fixture(scope="module")
def objects(owner: Client) -> dict[str, str]:
    """The id of an object of the owner, by resource."""
    return {resource: create(owner) for resource, create in CREATE.items()}


@pytest.fixture(scope="module")
def other(connect: Connect) -> Client:
    return connect().sign_up()


def resource(route: Declared) -> str:
    """Return the resource of a route: `/api/v1/tasks` for `/api/v1/tasks/{task_id}/cancel`."""
    return route.path.partition("/{")[0]


def all_rows(client: Client) -> list[list[dict[str, Any]]]:
    return [client.rows(route.rpartition("/")[2]) for route in (*CREATE, "ledger")]


@at_risk(Risk.OBJECTS)
def test_object_of_another_user_is_not_found_and_stays_unchanged(
    owner: Client, objects: dict[str, str], other: Client, route: Declared
) -> None:
    before = all_rows(owner)
    if route.has_parameter:
        expect.problem(send_request(other, route, objects[resource(route)]), 404)
    else:
        assert other.rows(resource(route).rpartition("/")[2], id=objects.get(resource(route), owner.id)) == []
        if "user_id" in route.query_parameters:
            assert other.rows(resource(route).rpartition("/")[2], user_id=owner.id) == []
    assert all_rows(owner) == before


def test_owner_finds_every_object(owner: Client, objects: dict[str, str]) -> None:
    """Otherwise a 404 to another user would prove nothing."""
    for name, object_id in objects.items():
        assert object_id in [row["id"] for row in owner.rows(name.rpartition("/")[2])]


def test_every_path_with_an_id_has_an_owner_needs_an_admin_or_is_exempt() -> None:
    owned = {str(route) for route in exposed(Risk.OBJECTS)}
    assert {str(route) for route in OPERATIONS if route.has_parameter} <= owned | FOR_ADMINS | WITHOUT_OWNER
    assert {resource(route) for route in exposed(Risk.OBJECTS) if route.has_parameter} == set(CREATE)


def test_exempt_schemas_have_no_owner() -> None:
    for schema in ("Operation", "OperationRow"):
        assert "user_id" not in DOCUMENT["components"]["schemas"][schema]["properties"]
