"""API2, broken authentication: cookies without the CSRF token change nothing."""

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import Declared
from tests.support.http_client import Client


@pytest.fixture(scope="module")
def victim(connect: Connect) -> Client:
    """A signed-in client that does not send its CSRF token."""
    client = connect().sign_up()
    client.csrf = None
    return client


@pytest.fixture(scope="module")
def attackers_token(connect: Connect) -> str:
    """The CSRF token of another user's session."""
    return connect().sign_up().cookies["csrf_access_token"]


@at_risk(Risk.CSRF)
def test_missing_or_wrong_csrf_token_is_rejected(
    victim: Client, attackers_token: str, route: Declared
) -> None:
    for token in (None, "", "wrong", "\xe9", attackers_token, victim.access_token):
        headers = {} if token is None else {b"X-CSRF-TOKEN": token.encode("latin-1")}
        problem = expect.problem(send_request(victim, route, headers=headers), 403)
        assert problem["type"] == "/problems/csrf-mismatch", token
    assert victim.balance == 20, "the session is still valid, and nothing was charged"


def test_csrf_token_from_before_a_refresh_is_rejected(client: Client) -> None:
    before = client.csrf
    assert client.refresh().status_code == 200
    client.csrf = before
    expect.problem(client.compute(), 403)


def test_bearer_token_needs_no_csrf_token(client: Client, connect: Connect) -> None:
    program = connect(bearer=client.access_token)
    assert program.compute().status_code == 200
    assert program.balance == 15
