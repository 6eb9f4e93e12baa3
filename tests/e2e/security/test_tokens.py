"""API2, broken authentication: forged, altered, expired and unsuitable tokens are rejected."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from localstack.stack import Stack
from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import Declared
from tests.support.http_client import API, Client

REFRESH = "refresh_token_cookie"
JSON = {"Content-Type": "application/json"}
AssertRejected = Callable[[Declared, str], None]


def segment(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


FORGERIES: dict[str, Callable[[str], str]] = {
    "garbage": lambda token: "garbage",
    "a changed signature": lambda token: token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB"),
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "changed claims": lambda token: ".".join(
        [token.split(".")[0], segment({**claims(token), "role": "admin"}), token.split(".")[2]]
    ),
    "algorithm none": lambda token: f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims(token))}.",
    "another's key": lambda token: jwt.encode(claims(token), "k" * 48, "HS256"),
    "another's key of 512 bits": lambda token: jwt.encode(claims(token), "k" * 64, "HS512"),
    "half of it": lambda token: token[: len(token) // 2],
}
CHANGES: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 60},
    "audience": {"aud": "somebody-else"},
    "issuer": {"iss": "somebody-else"},
    "session": {"sid": "no-uuid"},
    "type": {"type": "refresh"},
}
CLAIMS = ["exp", "iat", "iss", "aud", "sub", "jti", "sid", "type", "csrf", "role"]


@pytest.fixture(scope="module")
def admin_client(account: Callable[..., Client]) -> Client:
    """An admin, so that no route returns 403."""
    return account(role="admin")


@pytest.fixture(scope="module")
def assert_rejected(admin_client: Client, connect: Connect) -> AssertRejected:
    """Return a check that a token gets 401: as a bearer token, and as a cookie with a valid CSRF token."""
    anonymous, csrf = connect(), str(admin_client.csrf)

    def check(route: Declared, token: str) -> None:
        as_cookie = {"Cookie": f"access_token_cookie={token}", "X-CSRF-TOKEN": csrf}
        for headers in ({"Authorization": f"Bearer {token}"}, as_cookie):
            problem = expect.problem(send_request(anonymous, route, headers=headers), 401)
            assert problem["type"] == "/problems/not-signed-in"

    return check


@at_risk(Risk.TOKENS)
def test_request_without_credentials_returns_401(anonymous: Client, route: Declared) -> None:
    problem = expect.problem(send_request(anonymous, route), 401)
    assert problem["type"] == "/problems/not-signed-in"


@at_risk(Risk.TOKENS)
def test_forged_token_returns_401(
    admin_client: Client, assert_rejected: AssertRejected, route: Declared
) -> None:
    for forge in FORGERIES.values():
        assert_rejected(route, forge(admin_client.access_token))


@at_risk(Risk.TOKENS)
def test_refresh_token_returns_401_as_an_access_token(
    admin_client: Client, assert_rejected: AssertRejected, route: Declared
) -> None:
    assert_rejected(route, admin_client.cookies[REFRESH])


@pytest.fixture(scope="module")
def ended_session_token(account: Callable[..., Client]) -> str:
    """The access token of an ended session."""
    client = account(role="admin")
    token = client.access_token
    assert client.post("/logout").status_code == 200
    return token


@at_risk(Risk.TOKENS)
def test_unknown_key_and_ended_session_return_401_even_with_invalid_input(
    connect: Connect, ended_session_token: str, route: Declared
) -> None:
    bodies: list[dict[str, Any]] = [{"json": {"nonsense": 1}}, {"content": b"{", "headers": JSON}]
    for bearer in ("rc_unknown", ended_session_token):
        for options in bodies if route.schema else [{}]:
            problem = expect.problem(send_request(connect(bearer=bearer), route, **options), 401)
            assert problem["type"] == "/problems/not-signed-in"


@pytest.mark.local
@at_risk(Risk.TOKENS)
def test_correctly_signed_token_with_a_wrong_claim_returns_401(
    admin_client: Client, assert_rejected: AssertRejected, stack: Stack, route: Declared
) -> None:
    for change in CHANGES.values():
        members = {**claims(admin_client.access_token), **change}
        assert_rejected(route, signed(stack, members))


@pytest.mark.local
def test_correctly_signed_token_is_accepted(client: Client, connect: Connect, stack: Stack) -> None:
    """Otherwise the other tests could not show that a claim causes the rejection."""
    assert connect(bearer=signed(stack, claims(client.access_token))).balance == 20


@pytest.mark.local
@pytest.mark.parametrize("missing", CLAIMS)
def test_correctly_signed_token_without_a_claim_returns_401(
    client: Client, connect: Connect, stack: Stack, missing: str
) -> None:
    members = claims(client.access_token)
    del members[missing]
    expect.problem(connect(bearer=signed(stack, members)).get(f"{API}/users/me"), 401)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_refresh_token_returns_401(client: Client, connect: Connect, forgery: str) -> None:
    token = FORGERIES[forgery](client.cookies[REFRESH])
    expect.problem(connect(bearer=token).post("/refresh"), 401)
    assert client.refresh().status_code == 200, "the session is still valid"


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_token_does_not_end_a_session(client: Client, connect: Connect, forgery: str) -> None:
    assert connect(bearer=FORGERIES[forgery](client.access_token)).post("/logout").status_code == 200
    assert client.balance == 20


@pytest.mark.parametrize(
    "header", ["Basic dXNlcjpwYXNz", "Bearer", "rc_", "Bearer rc_unknown", "Bearer \xe9"]
)
def test_invalid_authorization_header_returns_401(anonymous: Client, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1")}
    expect.problem(anonymous.get(f"{API}/users/me", headers=headers), 401)


def signed(stack: Stack, members: dict[str, Any]) -> str:
    return jwt.encode(members, stack.environment["JWT_SECRET_KEY"], "HS256")
