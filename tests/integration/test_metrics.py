"""Metrics of the calculator's function: committed charges and refusals for lack of credit only."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from functions.calculator.process_operation import app
from shared.settings import settings
from tests.support.lambda_event import event
from tests.support.metric_lines import emitted
from tests.support.users import Person, create_api_key, create_person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
Call = Callable[..., int]
CHARGED = {"operation": "addition", "OperationsCharged": 1, "CreditsCharged": 5}


@pytest.fixture
def call(client: Person) -> Call:
    """Return a function that calls the calculator and returns the status code."""

    def send(operation: str, arguments: list[Any], *, who: Person = client, key: str = "") -> int:
        token = create_api_key(who.id).secret
        headers = {"authorization": f"Bearer {token}", **({"idempotency-key": key} if key else {})}
        body = json.dumps({"type": operation, "arguments": arguments})
        status: int = app(event("POST", "/api/v1/process_operation", body, headers=headers), None)[
            "statusCode"
        ]
        return status

    return send


def test_charge_emits_its_operation_and_credits(
    call: Call, sql: Sql, capsys: pytest.CaptureFixture[str]
) -> None:
    sql("UPDATE operations SET cost = 0.25 WHERE type = 'square_root'")
    assert (call("addition", [1, 2]), call("square_root", [4])) == (200, 200)
    assert emitted(capsys) == [
        CHARGED,
        {"operation": "square_root", "OperationsCharged": 1, "CreditsCharged": 0.25},
    ]


def test_replay_emits_no_charge(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert [call("addition", [1, 2], key="key") for _ in range(3)] == [200] * 3
    assert emitted(capsys) == [CHARGED]
    assert call("addition", [1, 3], key="key") == 422
    assert emitted(capsys) == []


@pytest.mark.parametrize("operation", ["addition", "random_string"])
def test_refusal_for_lack_of_credit_emits_a_metric(
    call: Call,
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # With a key, random strings come from random.org, so the function checks the balance first.
    monkeypatch.setenv("RANDOM_STRING_API_KEY", "unused")
    settings.cache_clear()
    poor = create_person(balance=Decimal("4.9999"))
    assert call(operation, [1, 2] if operation == "addition" else [], who=poor) == 402
    assert emitted(capsys) == [{"ChargesRefused": 1}]


@pytest.mark.parametrize(("operation", "arguments"), [("division", [1, 0]), ("cube", [2]), ("addition", [1])])
def test_invalid_call_emits_no_metric(
    call: Call, operation: str, arguments: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(operation, arguments) == 422
    assert emitted(capsys) == []
