"""API1, broken object level authorization: what belongs to another is not there."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import FOR_ADMINS, WITHOUT_OWNER, Risk, at_risk, exposed, send_request
from tests.support.declared_routes import DOCUMENT, OPERATIONS, Declared
from tests.support.http_client import API, Client, exact

MAKERS: dict[str, Callable[[Client], str]] = {
    f"{API}/tasks": lambda owner: exact(owner.post(f"{API}/tasks", json={"filename": "x", "size": 1}))["id"],
    f"{API}/records": lambda owner: exact(owner.compute())["record_id"],
    f"{API}/api_keys": lambda owner: exact(owner.post(f"{API}/api_keys", json={"name": "x"}))["id"],
}
"""How an owner comes to an object of each resource."""


@pytest.fixture(scope="module")
def owner(connect: Connect) -> Client:
    return connect().sign_up()


@pytest.fixture(scope="module")
def objects(owner: Client) -> dict[str, str]:
    """The id of an object of the owner's, by resource."""
    return {resource: make(owner) for resource, make in MAKERS.items()}


@pytest.fixture(scope="module")
def other(connect: Connect) -> Client:
    return connect().sign_up()


def resource(route: Declared) -> str:
    """`/api/v1/tasks` of `/api/v1/tasks/{task_id}/cancel`."""
    return route.path.partition("/{")[0]


def everything(client: Client) -> list[list[dict[str, Any]]]:
    return [client.rows(route.rpartition("/")[2]) for route in (*MAKERS, "ledger")]


@at_risk(Risk.OBJECTS)
def test_anothers_object_is_not_there_and_stays_as_it_is(
    owner: Client, objects: dict[str, str], other: Client, route: Declared
) -> None:
    before = everything(owner)
    if route.has_parameter:
        expect.problem(send_request(other, route, objects[resource(route)]), 404)
    else:
        assert other.rows(resource(route).rpartition("/")[2], id=objects.get(resource(route), owner.id)) == []
        if "user_id" in route.query_parameters:
            assert other.rows(resource(route).rpartition("/")[2], user_id=owner.id) == []
    assert everything(owner) == before


def test_every_object_that_is_asked_for_is_there_for_its_owner(
    owner: Client, objects: dict[str, str]
) -> None:
    """Or a 404 to another would say nothing."""
    for name, made in objects.items():
        assert made in [row["id"] for row in owner.rows(name.rpartition("/")[2])]


def test_every_path_with_an_id_is_an_owners_an_admins_or_everybodys() -> None:
    owned = {str(route) for route in exposed(Risk.OBJECTS)}
    assert {str(route) for route in OPERATIONS if route.has_parameter} <= owned | FOR_ADMINS | WITHOUT_OWNER
    assert {resource(route) for route in exposed(Risk.OBJECTS) if route.has_parameter} == set(MAKERS)


def test_what_is_everybodys_has_no_owner() -> None:
    for schema in ("Operation", "OperationRow"):
        assert "user_id" not in DOCUMENT["components"]["schemas"][schema]["properties"]
