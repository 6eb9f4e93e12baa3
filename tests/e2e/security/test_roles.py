"""API5, broken function level authorization: who may do what, route by route."""

import pytest

from tests.e2e import expect
from tests.e2e.client import Client
from tests.e2e.conftest import Connect
from tests.e2e.declared import OPERATIONS, SIGNED_IN, Declared
from tests.e2e.security.matrix import FOR_ADMINS, Risk, ask, at_risk


@pytest.fixture(scope="module")
def someone(connect: Connect) -> Client:
    """A client with an account."""
    return connect().sign_up()


@at_risk(Risk.ROLES)
def test_a_client_may_not_do_what_is_the_admins(someone: Client, route: Declared) -> None:
    told = expect.problem(ask(someone, route), 403)
    assert told["type"] == "/problems/forbidden"


def test_every_route_of_the_admins_is_declared() -> None:
    assert {str(route) for route in OPERATIONS} >= FOR_ADMINS


@pytest.mark.parametrize("route", [r for r in SIGNED_IN if str(r) not in FOR_ADMINS], ids=str)
def test_a_client_may_do_all_else(someone: Client, route: Declared) -> None:
    assert ask(someone, route).status_code != 403
