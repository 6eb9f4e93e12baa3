"""Who may do what, route by route."""

from uuid import uuid4

import pytest

from tests.e2e import expect
from tests.e2e.client import Client
from tests.e2e.conftest import Connect
from tests.e2e.declared import OPERATIONS, SIGNED_IN, Declared

# The contract's table: these alone are the admins'.
FOR_ADMINS = {
    "POST /api/v1/operations",
    "PATCH /api/v1/operations/{id}",
    "DELETE /api/v1/operations/{id}",
    "POST /api/v1/records",
    "PATCH /api/v1/records/{id}",
    "DELETE /api/v1/records/{id}",
    "GET /api/v1/users",
    "POST /api/v1/users",
    "GET /api/v1/users/{id}",
    "PATCH /api/v1/users/{id}",
    "DELETE /api/v1/users/{id}",
    "POST /api/v1/users/{id}/credits",
}


@pytest.fixture(scope="module")
def someone(connect: Connect) -> Client:
    """A client with an account."""
    return connect().sign_up()


def ask(client: Client, route: Declared) -> expect.httpx.Response:
    body = {"json": route.body()} if route.schema else {}
    return client.request(route.method, route.concrete(str(uuid4())), **body)


@pytest.mark.parametrize("route", SIGNED_IN, ids=str)
def test_nobody_gets_401(anybody: Client, route: Declared) -> None:
    told = expect.problem(ask(anybody, route), 401)
    assert told["type"] == "/problems/not-signed-in"


@pytest.mark.parametrize("route", SIGNED_IN, ids=str)
def test_garbage_in_place_of_a_token_gets_401(connect: Connect, route: Declared) -> None:
    expect.problem(ask(connect(bearer="garbage"), route), 401)


@pytest.mark.parametrize("route", [r for r in OPERATIONS if str(r) in FOR_ADMINS], ids=str)
def test_a_client_may_not_do_what_is_the_admins(someone: Client, route: Declared) -> None:
    told = expect.problem(ask(someone, route), 403)
    assert told["type"] == "/problems/forbidden"


def test_every_route_of_the_admins_is_declared() -> None:
    assert {str(route) for route in OPERATIONS} >= FOR_ADMINS


@pytest.mark.parametrize("route", [r for r in SIGNED_IN if str(r) not in FOR_ADMINS], ids=str)
def test_a_client_may_do_all_else(someone: Client, route: Declared) -> None:
    assert ask(someone, route).status_code != 403
