"""Behaviour while the database is stopped, and after its restart."""

import time
from collections.abc import Callable

import httpx
import pytest

from localstack.stack import Stack
from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.eventually import eventually
from tests.support.http_client import API, PASSWORD, Client

pytestmark = pytest.mark.local

RESPONSE_TIMEOUT_SECONDS = 8
"""The limit of a response's time: the connect timeout is three seconds, for two attempts."""


def requests(client: Client) -> dict[str, Callable[[], httpx.Response]]:
    return {
        "GET /health": lambda: client.get("/health"),
        "POST /login": lambda: client.post("/login", json={"email": client.email, "password": PASSWORD}),
        "POST /refresh": lambda: client.post("/refresh"),
        "POST process_operation": client.compute,
        "POST process_csv": lambda: client.post(
            f"{API}/process_csv", files={"file": b"operation,arguments\n"}
        ),
        "GET users/me": lambda: client.get(f"{API}/users/me"),
        "GET records": lambda: client.get(f"{API}/records"),
        "POST api_keys": lambda: client.post(f"{API}/api_keys", json={"name": "x"}),
    }


def test_service_returns_503_while_the_database_is_stopped_and_then_recovers(
    client: Client, stack: Stack, connect: Connect
) -> None:
    before = client.me
    with stack.database_stopped():
        for name, request in requests(client).items():
            began = time.monotonic()
            response = request()
            assert time.monotonic() - began < RESPONSE_TIMEOUT_SECONDS, name
            problem = expect.problem(response, 503)
            assert problem["type"] == "/problems/service-unavailable"
            assert int(response.headers["Retry-After"]) >= 1
        for path in ("/openapi.json", "/docs"):
            assert client.get(path).status_code == 200, "the documentation needs no database"
        assert client.get("/nonsense").status_code == 404

    def healthy() -> bool:
        """Send more requests than there are gateway processes, so that each one reconnects."""
        return all(connect().get("/health").status_code == 200 for _ in range(12))

    assert eventually(healthy)
    assert client.me == before
    assert client.compute().status_code == 200
    assert client.balance == 15


def test_request_after_a_restart_of_the_database_succeeds(client: Client, stack: Stack) -> None:
    assert client.compute().status_code == 200
    with stack.database_stopped():
        pass
    assert client.compute().status_code == 200
    assert client.balance == 10
