"""Faults of random.org during a charge: 503 within the function's timeout, and no charge."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions.calculator.process_operation import app
from shared.database import dispose_connections
from shared.operations import random_string
from shared.settings import settings
from tests.support.fake_random_org import GARBAGE, KEY, RandomOrg, Responder, strings
from tests.support.faults.harness import Harness
from tests.support.faults.routes import BOUND, COST, CREDIT
from tests.support.http_client import Client
from tests.support.lambda_event import event, problem

Choose = Callable[[RandomOrg], Responder]
SHORT_TIMEOUT_SECONDS = 0.3
"""A timeout for tests that need not wait for the real one."""
FAULTS: dict[str, Choose] = {
    "wrong": lambda random_org: lambda request: GARBAGE["an error"],
    "silent": lambda random_org: random_org.never_responds,
    "dripping": lambda random_org: random_org.responds_byte_by_byte,
}


@pytest.fixture
def random_org(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[RandomOrg]:
    """Replace random.org for the function, which runs in this process."""
    for name, value in {**harness.stack.environment, "RANDOM_STRING_API_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    clear_caches()
    with RandomOrg.running() as random_org:
        monkeypatch.setattr(random_string, "ENDPOINT", random_org.endpoint)
        yield random_org
    clear_caches()


def clear_caches() -> None:
    dispose_connections()
    settings.cache_clear()
    random_string._ready.clear()


def charge(client: Client) -> dict[str, Any]:
    """Return the function's response to a call by this client."""
    headers = {"authorization": f"Bearer {client.access_token}"}
    body = json.dumps({"type": "random_string", "arguments": []})
    return app(event("POST", "/api/v1/process_operation", body, headers=headers), None)


def check(client: Client, random_org: RandomOrg, responder: Responder) -> None:
    random_org.responses = [*[responder] * random_string.ATTEMPTS, strings]
    began = time.monotonic()
    response = charge(client)
    assert time.monotonic() - began < BOUND
    assert response["statusCode"] == problem(response)["status"] == 503
    assert int(response["headers"]["Retry-After"]) >= 1
    assert client.balance == CREDIT
    assert charge(client)["statusCode"] == 200
    assert client.balance == CREDIT - COST


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_charges_nothing_and_the_next_call_succeeds(
    client: Client, random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", SHORT_TIMEOUT_SECONDS)
    check(client, random_org, FAULTS[fault](random_org))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["silent", "dripping"])
def test_real_timeouts_end_before_the_functions_timeout(
    client: Client, random_org: RandomOrg, fault: str
) -> None:
    check(client, random_org, FAULTS[fault](random_org))


def test_unreachable_random_org_charges_nothing(
    client: Client, random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(random_string, "ENDPOINT", "http://127.0.0.1:1/")
        assert charge(client)["statusCode"] == 503
    assert client.balance == CREDIT
    assert charge(client)["statusCode"] == 200
