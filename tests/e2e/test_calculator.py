"""POST /process_operation: results, charges, and rejected calls that cost nothing."""

import string
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, Client, exact

COST = 5


@pytest.fixture(scope="module")
def rich(account: Callable[..., Client]) -> Client:
    """A client with enough credit for all tests of this module."""
    return account(balance=1000)


@pytest.mark.parametrize(
    ("type", "arguments", "result"),
    [
        ("addition", [1, 2], 3),
        ("addition", [0.1, 0.2], 0.3),
        ("addition", list(range(100)), 4950),
        ("substraction", [10, 4], 6),
        ("substraction", [10, 4, 3.5], 2.5),
        ("subtraction", [1, 0.9], 0.1),
        ("multiplication", [1.1, 1.1], 1.21),
        ("multiplication", [-3, 0], 0),
        ("division", [1, 3], 1 / 3),
        ("division", [7, 2], 3.5),
        ("square_root", [16], 4),
        ("square_root", [2], 2**0.5),
        ("addition", [2**53, 1], 2.0**53),
        ("multiplication", [1e200, 1e100], 1e300),
        ("addition", [1e-300, 0], 1e-300),
    ],
    ids=str,
)
def test_operation_is_computed_charged_and_recorded(
    rich: Client, type: str, arguments: list[float], result: float
) -> None:
    before = rich.balance
    response = rich.compute(type, *arguments)
    body = exact(response)
    assert float(response.json()["result"]) == result
    assert (body["status"], body["amount"]) == ("success", COST)
    assert body["message"]
    assert body["user_balance"] == before - COST == rich.balance
    record = exact(rich.get(f"{API}/records/{body['record_id']}"))
    assert float(record["operation_response"]) == result
    assert [float(argument) for argument in record["arguments"]] == arguments
    assert (record["amount"], record["user_balance"]) == (COST, before - COST)
    assert (record["user_id"], record["task_id"], record["task_row"]) == (rich.id, None, None)


def test_random_string_ignores_arguments_and_is_unique(rich: Client) -> None:
    without = rich.post(f"{API}/process_operation", json={"type": "random_string"})
    response = exact(rich.compute("random_string", 1, 1))
    one, other = exact(without)["result"], response["result"]
    assert one != other
    assert exact(rich.get(f"{API}/records/{response['record_id']}"))["arguments"] == []
    for text in (one, other):
        assert len(text) == 32
        assert set(text) <= set(string.ascii_letters + string.digits)


def test_call_without_enough_credit_returns_402_with_balance_and_cost(client: Client) -> None:
    for left in (15, 10, 5, 0):
        assert exact(client.compute())["user_balance"] == left
    problem = expect.problem(client.compute(), 402)
    assert problem["type"] == "/problems/insufficient-credit"
    assert (problem["balance"], problem["cost"]) == (0, COST)
    assert client.balance == 0
    assert len(client.rows("records")) == 4


INVALID_CALLS: dict[str, tuple[str, list[Any], str]] = {
    "division by zero": ("division", [1, 0], "#/arguments/1"),
    "division by 0.0": ("division", [1, 0.0], "#/arguments/1"),
    "root of a negative": ("square_root", [-1], "#/arguments/0"),
    "one summand": ("addition", [1], "#/arguments"),
    "101 summands": ("addition", [1] * 101, "#/arguments"),
    "1001 summands": ("addition", [1] * 1001, "#/arguments"),
    "three factors": ("multiplication", [1, 2, 3], "#/arguments"),
    "no divisor": ("division", [1], "#/arguments"),
    "nothing to root": ("square_root", [], "#/arguments"),
    "unknown type": ("modulo", [1, 2], "#/type"),
    "empty type": ("", [1, 2], "#/type"),
    "case matters": ("Addition", [1, 2], "#/type"),
    "result out of range": ("multiplication", [1e200, 1e200], "#/arguments"),
    "result too small": ("multiplication", [1e-200, 1e-200], "#/arguments"),
    "argument out of range": ("addition", [10**400, 1], "#/arguments/0"),
    "text": ("addition", ["1", 2], "#/arguments/0"),
    "truth": ("addition", [1, True], "#/arguments/1"),
    "null": ("addition", [None, 1], "#/arguments/0"),
    "list": ("addition", [[1], 1], "#/arguments/0"),
}


@pytest.fixture(scope="module")
def unchanged_client(connect: Connect) -> Iterator[Client]:
    """A client whose account must be unchanged after the tests of this module."""
    client = connect().sign_up()
    yield client
    assert client.balance == 20
    assert client.rows("records") == []
    assert len(client.rows("ledger")) == 1


@pytest.mark.parametrize("case", INVALID_CALLS)
def test_invalid_call_is_rejected_with_its_pointer_and_costs_nothing(
    unchanged_client: Client, case: str
) -> None:
    type, arguments, pointer = INVALID_CALLS[case]
    response = unchanged_client.post(f"{API}/process_operation", json={"type": type, "arguments": arguments})
    assert expect.pointers(response) == [pointer]
    assert unchanged_client.balance == 20


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_non_finite_number_is_malformed_and_costs_nothing(unchanged_client: Client, literal: str) -> None:
    body = f'{{"type": "addition", "arguments": [1, {literal}]}}'
    headers = {"Content-Type": "application/json"}
    expect.problem(unchanged_client.post(f"{API}/process_operation", content=body, headers=headers), 400)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "1e999999999", "9" * 400])
def test_number_outside_the_range_of_a_double_is_rejected_and_costs_nothing(
    unchanged_client: Client, number: str
) -> None:
    body = f'{{"type": "addition", "arguments": [1, {number}]}}'
    headers = {"Content-Type": "application/json"}
    response = unchanged_client.post(f"{API}/process_operation", content=body, headers=headers)
    assert expect.pointers(response) == ["#/arguments/1"]


def test_money_has_four_decimal_places_without_rounding(
    admin: Client, account: Callable[..., Client]
) -> None:
    client = account(balance=0.0003)
    grants = [0.0001, 0.1, 0.2, 10]
    for amount in grants:
        body = {"amount": amount, "reason": "cents"}
        assert admin.post(f"{API}/users/{client.id}/credits", json=body).status_code == 200
    assert client.balance == Decimal("10.3004")
    assert exact(client.compute())["user_balance"] == Decimal("5.3004")
