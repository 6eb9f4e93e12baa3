"""Tokens that we did not sign, or not so, or not for this, or long ago."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from localstack.stack import Stack
from tests.e2e import expect
from tests.e2e.client import API, Client
from tests.e2e.conftest import Connect


def segment(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


FORGERIES: dict[str, Callable[[str], str]] = {
    "a changed signature": lambda token: token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB"),
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "changed claims": lambda token: ".".join(
        [token.split(".")[0], segment({**claims(token), "role": "admin"}), token.split(".")[2]]
    ),
    "algorithm none": lambda token: f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims(token))}.",
    "another's key": lambda token: jwt.encode(claims(token), "k" * 48, "HS256"),
    "half of it": lambda token: token[: len(token) // 2],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_gets_401(client: Client, connect: Connect, forgery: str) -> None:
    token = FORGERIES[forgery](client.access_token)
    program = connect(bearer=token)
    expect.problem(program.get(f"{API}/users/me"), 401)
    expect.problem(program.compute(), 401)
    browser = connect()
    browser.cookies.set("access_token_cookie", token)
    browser.csrf = client.csrf
    expect.problem(browser.compute(), 401)
    assert client.balance == 20


@pytest.mark.local
@pytest.mark.parametrize(
    "changed",
    [
        {"exp": int(time.time()) - 60},
        {"aud": "somebody-else"},
        {"iss": "somebody-else"},
        {"sid": "no-uuid"},
        {"type": "refresh"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_token_of_ours_with_a_wrong_claim_gets_401(
    client: Client, connect: Connect, stack: Stack, changed: dict[str, Any]
) -> None:
    def signed(members: dict[str, Any]) -> str:
        return jwt.encode(members, stack.environment["JWT_SECRET_KEY"], "HS256")

    own = claims(client.access_token)
    assert connect(bearer=signed(own)).balance == 20, "the signature is good"
    expect.problem(connect(bearer=signed({**own, **changed})).get(f"{API}/users/me"), 401)
    expect.problem(connect(bearer=signed({**own, **changed})).compute(), 401)


@pytest.mark.local
@pytest.mark.parametrize("missing", ["exp", "iat", "iss", "aud", "sub", "jti", "sid", "type", "csrf", "role"])
def test_a_token_of_ours_without_a_claim_gets_401(
    client: Client, connect: Connect, stack: Stack, missing: str
) -> None:
    own = claims(client.access_token)
    del own[missing]
    token = jwt.encode(own, stack.environment["JWT_SECRET_KEY"], "HS256")
    expect.problem(connect(bearer=token).get(f"{API}/users/me"), 401)


@pytest.mark.parametrize(
    "header", ["Basic dXNlcjpwYXNz", "Bearer", "rc_", "Bearer rc_unknown", "Bearer \xe9"]
)
def test_an_authorization_header_that_signs_nobody_in_gets_401(anybody: Client, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1")}
    expect.problem(anybody.get(f"{API}/users/me", headers=headers), 401)
