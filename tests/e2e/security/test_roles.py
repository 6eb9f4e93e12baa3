"""API5, broken function level authorization: the role that each route requires."""

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import FOR_ADMINS, Risk, at_risk, send_request
from tests.support.declared_routes import OPERATIONS, SIGNED_IN, Declared
from tests.support.http_client import Client


@pytest.fixture(scope="module")
def client(connect: Connect) -> Client:
    """A client with an account."""
    return connect().sign_up()


@at_risk(Risk.ROLES)
def test_client_is_rejected_on_admin_routes(client: Client, route: Declared) -> None:
    problem = expect.problem(send_request(client, route), 403)
    assert problem["type"] == "/problems/forbidden"


def test_every_admin_route_is_declared() -> None:
    assert {str(route) for route in OPERATIONS} >= FOR_ADMINS


@pytest.mark.parametrize("route", [r for r in SIGNED_IN if str(r) not in FOR_ADMINS], ids=str)
def test_client_is_accepted_on_all_other_routes(client: Client, route: Declared) -> None:
    assert send_request(client, route).status_code != 403
