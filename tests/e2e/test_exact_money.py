"""Every route that shows money shows all its digits: 18, of which a float keeps 15 to 17."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared import exact_json
from tests.support import expect
from tests.support.declared_routes import OPERATIONS, resolved
from tests.support.http_client import API, PASSWORD, Client, new_email
from tests.support.uploads import HEADER, ended, results, upload

BALANCE = Decimal("12345678901234.5678")
COST = Decimal("1111111111111.1111")
TOO_DEAR = Decimal("99999999999999.9999")
MONEY = {"amount", "balance", "balance_before", "balance_after", "cost", "spent", "user_balance"}
WHOLE = {("POST", "/admin")} | {
    ("POST", f"{API}{path}") for path in ("/process_csv", "/tasks", "/tasks/{task_id}/cancel")
}
"""Routes that show whole credits only: an opening credit, or a task that has spent nothing yet."""


def shows_money(schema: dict[str, Any]) -> bool:
    """Whether a response of this schema has a member for credits."""
    members = resolved(schema).get("properties", {})
    rows = (member["items"] for member in members.values() if member.get("type") == "array")
    return bool(MONEY & set(members)) or any(shows_money(row) for row in rows)


def routes_with_money() -> set[tuple[str, str]]:
    found = set[tuple[str, str]]()
    for route in OPERATIONS:
        for status, response in route.operation["responses"].items():
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if status.startswith("2") and schema and shows_money(schema):
                found.add((route.method, route.path))
    return found


def money(response: httpx.Response) -> list[tuple[str, str]]:
    """Each member of a JSON body that is money, with the digits as they were sent."""
    found = list[tuple[str, str]]()

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.extend((name, value) for name, value in pairs if name in MONEY)
        return dict(pairs)

    json.loads(response.text, parse_int=str, parse_float=str, object_pairs_hook=note)
    return found


def send(caller: Client, method: str, path: str, body: Any) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return caller.request(method, path, content=exact_json.dumps(body), headers=headers)


@pytest.fixture
def dear(admin: Client) -> Iterator[str]:
    """The id of the square root's price, which is COST during the test."""
    (before,) = admin.rows("operations", type="square_root")
    assert send(admin, "PATCH", f"{API}/operations/{before['id']}", {"cost": COST}).is_success
    yield before["id"]
    (now,) = admin.rows("operations", type="square_root")
    assert send(admin, "PATCH", f"{API}/operations/{now['id']}", {"cost": before["cost"]}).is_success


@pytest.fixture
def rich(admin: Client, connect: Callable[..., Client]) -> Client:
    email = new_email()
    body = {"email": email, "password": PASSWORD, "balance": BALANCE}
    assert money(send(admin, "POST", f"{API}/users", body)) == [("balance", str(BALANCE))]
    client = connect()
    client.sign_in(email)
    return client


def test_every_route_shows_all_digits(admin: Client, rich: Client, dear: str, s3: httpx.Client) -> None:
    seen = {("POST", f"{API}/users"), *WHOLE}

    def shown(caller: Client, method: str, path: str, body: Any = None, **ids: str) -> list[tuple[str, str]]:
        seen.add((method, f"{API}{path}"))
        url = f"{API}{path}".format(**ids)
        how = {} if method != "GET" or not body else {"params": body}
        response = caller.get(url, **how) if method == "GET" else send(caller, method, url, body)
        assert response.is_success, response.text
        return money(response)

    left = BALANCE - COST
    charged = [("amount", str(COST)), ("user_balance", str(left))]
    assert shown(rich, "POST", "/process_operation", {"type": "square_root", "arguments": [9]}) == charged
    assert shown(rich, "GET", "/records") == charged
    (record,) = rich.rows("records")
    assert shown(rich, "GET", "/records/{id}", id=record["id"]) == charged
    assert shown(rich, "GET", "/users/me") == [("balance", str(left))]
    assert shown(admin, "GET", "/users/{id}", id=rich.id) == [("balance", str(left))]
    assert shown(admin, "GET", "/users", {"balance": str(left)}) == [("balance", str(left))]
    assert shown(rich, "GET", "/ledger", {"kind": "charge"}) == [
        ("amount", f"-{COST}"),
        ("balance_before", str(BALANCE)),
        ("balance_after", str(left)),
    ]
    assert shown(rich, "GET", "/operations", {"cost": str(COST)}) == [("cost", str(COST))]
    assert shown(rich, "GET", "/operations/{id}", id=dear) == [("cost", str(COST))]
    assert shown(admin, "PATCH", "/operations/{id}", {"cost": COST}, id=dear) == [("cost", str(COST))]
    assert admin.delete(f"{API}/operations/{dear}").is_success
    priced = {"type": "square_root", "cost": COST}
    assert shown(admin, "POST", "/operations", priced) == [("cost", str(COST))]

    path = upload(rich, HEADER + b"square_root,[16]\n")
    assert ended(rich, path)["status"] == "completed"
    task_id = path.rpartition("/")[2]
    assert shown(rich, "GET", "/tasks/{task_id}", task_id=task_id) == [("spent", str(COST))]
    assert shown(rich, "GET", "/tasks") == [("spent", str(COST))]
    (row,) = results(rich, path, s3)
    left -= COST
    assert (row["amount"], row["user_balance"]) == (str(COST), str(left))

    given = Decimal("0.0001")
    credit = {"amount": given, "reason": "a gift"}
    assert shown(admin, "POST", "/users/{id}/credits", credit, id=rich.id) == [
        ("amount", str(given)),
        ("user_balance", str(left + given)),
    ]
    manual = {
        **{"operation_id": record["operation_id"], "user_id": rich.id, "operation_response": 3},
        **{"amount": -BALANCE, "user_balance": TOO_DEAR},
    }
    assert shown(admin, "POST", "/records", manual) == [
        ("amount", f"-{BALANCE}"),
        ("user_balance", str(TOO_DEAR)),
    ]

    paid = left // COST
    path = upload(rich, HEADER + b"square_root,[16]\n" * (int(paid) + 1))
    assert ended(rich, path)["status"] == "out_of_credit"
    spent = [("spent", str(paid * COST))]
    assert shown(rich, "POST", "/tasks/{task_id}/resume", task_id=path.rpartition("/")[2]) == spent

    assert seen == routes_with_money(), "call each route that shows money in tests/e2e/test_exact_money.py"


def test_a_problem_shows_all_digits(admin: Client, rich: Client, dear: str) -> None:
    assert send(admin, "PATCH", f"{API}/operations/{dear}", {"cost": TOO_DEAR}).is_success
    refused = rich.compute("square_root", 9)
    detail = expect.problem(refused, 402)["detail"]
    assert money(refused) == [("balance", str(BALANCE)), ("cost", str(TOO_DEAR))]
    assert str(BALANCE) in detail
    assert str(TOO_DEAR) in detail
    body = {"amount": -TOO_DEAR, "reason": "too much"}
    refused = send(admin, "POST", f"{API}/users/{rich.id}/credits", body)
    assert str(BALANCE) in expect.problem(refused, 422)["detail"]
