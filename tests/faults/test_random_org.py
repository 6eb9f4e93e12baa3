"""random.org breaks under a charge: 503 within the function's time, and nothing is charged."""

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
IMPATIENT = 0.3
"""Seconds, where a test need not wait for the real limit."""
FAULTS: dict[str, Choose] = {
    "wrong": lambda organisation: lambda request: GARBAGE["an error"],
    "silent": lambda organisation: organisation.never_responds,
    "dripping": lambda organisation: organisation.responds_byte_by_byte,
}


@pytest.fixture
def random_org(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[RandomOrg]:
    """In the place of the real one, for the function, which runs in this process."""
    for name, value in {**harness.stack.environment, "RANDOM_STRING_API_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    forget()
    with RandomOrg.running() as organisation:
        monkeypatch.setattr(random_string, "ENDPOINT", organisation.endpoint)
        yield organisation
    forget()


def forget() -> None:
    dispose_connections()
    settings.cache_clear()
    random_string._ready.clear()


def charge(client: Client) -> dict[str, Any]:
    """The function's answer to a call by this client."""
    headers = {"authorization": f"Bearer {client.access_token}"}
    body = json.dumps({"type": "random_string", "arguments": []})
    return app(event("POST", "/api/v1/process_operation", body, headers=headers), None)


def check(client: Client, random_org: RandomOrg, responder: Responder) -> None:
    random_org.responses = [*[responder] * random_string.ATTEMPTS, strings]
    began = time.monotonic()
    refused = charge(client)
    assert time.monotonic() - began < BOUND
    assert refused["statusCode"] == problem(refused)["status"] == 503
    assert int(refused["headers"]["Retry-After"]) >= 1
    assert client.balance == CREDIT
    assert charge(client)["statusCode"] == 200
    assert client.balance == CREDIT - COST


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_charged_and_the_next_call_succeeds(
    client: Client, random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", IMPATIENT)
    check(client, random_org, FAULTS[fault](random_org))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["silent", "dripping"])
def test_the_real_limits_end_before_the_function_does(
    client: Client, random_org: RandomOrg, fault: str
) -> None:
    check(client, random_org, FAULTS[fault](random_org))


def test_where_nobody_listens_nothing_is_charged(
    client: Client, random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(random_string, "ENDPOINT", "http://127.0.0.1:1/")
        assert charge(client)["statusCode"] == 503
    assert client.balance == CREDIT
    assert charge(client)["statusCode"] == 200
