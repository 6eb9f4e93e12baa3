"""API5, broken function level authorization: who may do what, route by route."""

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import FOR_ADMINS, Risk, at_risk, send_request
from tests.support.declared_routes import OPERATIONS, SIGNED_IN, Declared
from tests.support.http_client import Client


@pytest.fixture(scope="module")
def someone(connect: Connect) -> Client:
    """A client with an account."""
    return connect().sign_up()


@at_risk(Risk.ROLES)
def test_a_client_may_not_do_what_is_the_admins(someone: Client, route: Declared) -> None:
    told = expect.problem(send_request(someone, route), 403)
    assert told["type"] == "/problems/forbidden"


def test_every_route_of_the_admins_is_declared() -> None:
    assert {str(route) for route in OPERATIONS} >= FOR_ADMINS


@pytest.mark.parametrize("route", [r for r in SIGNED_IN if str(r) not in FOR_ADMINS], ids=str)
def test_a_client_may_do_all_else(someone: Client, route: Declared) -> None:
    assert send_request(someone, route).status_code != 403
