"""Every route that shows money shows all 18 digits. A float keeps only 15 to 17."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared import exact_json
from shared.http.money import MONEY
from tests.support import expect
from tests.support.declared_routes import OPERATIONS, resolved
from tests.support.http_client import API, PASSWORD, Client, new_email
from tests.support.uploads import HEADER, ended, results, upload

BALANCE = Decimal("12345678901234.5678")
COST = Decimal("1111111111111.1111")
MAX_COST = Decimal("99999999999999.9999")
WHOLE_CREDITS_ONLY = {("POST", "/admin")} | {
    ("POST", f"{API}{path}") for path in ("/process_csv", "/tasks", "/tasks/{task_id}/cancel")
}
"""Routes that show whole credits only: an opening credit, or a task that has spent nothing yet."""


def shows_money(schema: dict[str, Any]) -> bool:
    """Return whether a response of this schema has a member for credits."""
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
    """Return each money member of a JSON body with its digits as sent."""
    found = list[tuple[str, str]]()

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.extend((name, value) for name, value in pairs if name in MONEY and value is not None)
        return dict(pairs)

    json.loads(response.text, parse_int=str, parse_float=str, object_pairs_hook=note)
    return found


def send(caller: Client, method: str, path: str, body: Any) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return caller.request(method, path, content=exact_json.dumps(body), headers=headers)


@pytest.fixture
def expensive_operation(admin: Client) -> Iterator[str]:
    """Set the price of the square root to COST during the test. Return its id."""
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


def test_every_route_with_money_shows_all_digits(
    admin: Client, rich: Client, expensive_operation: str, s3: httpx.Client
) -> None:
    called = {("POST", f"{API}/users"), *WHOLE_CREDITS_ONLY}

    def money_in(
        caller: Client, method: str, path: str, body: Any = None, **ids: str
    ) -> list[tuple[str, str]]:
        called.add((method, f"{API}{path}"))
        url = f"{API}{path}".format(**ids)
        options = {} if method != "GET" or not body else {"params": body}
        response = caller.get(url, **options) if method == "GET" else send(caller, method, url, body)
        assert response.is_success, response.text
        return money(response)

    left = BALANCE - COST
    charged = [("amount", str(COST)), ("user_balance", str(left))]
    assert money_in(rich, "POST", "/process_operation", {"type": "square_root", "arguments": [9]}) == charged
    assert money_in(rich, "GET", "/records") == charged
    (record,) = rich.rows("records")
    assert money_in(rich, "GET", "/records/{id}", id=record["id"]) == charged
    assert money_in(rich, "GET", "/users/me") == [("balance", str(left))]
    assert money_in(admin, "GET", "/users/{id}", id=rich.id) == [("balance", str(left))]
    assert money_in(admin, "GET", "/users", {"balance": str(left)}) == [("balance", str(left))]
    assert money_in(rich, "GET", "/ledger", {"kind": "charge"}) == [
        ("amount", f"-{COST}"),
        ("balance_before", str(BALANCE)),
        ("balance_after", str(left)),
    ]
    assert money_in(rich, "GET", "/usage") == [("spent", str(COST))]
    assert money_in(rich, "GET", "/operations", {"cost": str(COST)}) == [("cost", str(COST))]
    assert money_in(rich, "GET", "/operations/{id}", id=expensive_operation) == [("cost", str(COST))]
    assert money_in(admin, "PATCH", "/operations/{id}", {"cost": COST}, id=expensive_operation) == [
        ("cost", str(COST))
    ]
    assert admin.delete(f"{API}/operations/{expensive_operation}").is_success
    priced = {"type": "square_root", "cost": COST}
    assert money_in(admin, "POST", "/operations", priced) == [("cost", str(COST))]

    assert money_in(rich, "POST", "/api_keys", {"name": "a program"}) == [("spent", "0")]
    (key,) = rich.rows("api_keys")
    assert money_in(rich, "GET", "/api_keys/{id}", id=key["id"]) == [("spent", "0")]
    assert money_in(rich, "GET", "/api_keys") == [("spent", "0")]

    path = upload(rich, HEADER + b"square_root,[16]\n")
    assert ended(rich, path)["status"] == "completed"
    task_id = path.rpartition("/")[2]
    assert money_in(rich, "GET", "/tasks/{task_id}", task_id=task_id) == [("spent", str(COST))]
    assert money_in(rich, "GET", "/tasks") == [("spent", str(COST))]
    (billed,) = rich.rows("records", task_id=task_id)
    (row,) = results(rich, path, s3)
    left -= COST
    assert (row["amount"], row["user_balance"]) == (str(COST), str(left))

    given = Decimal("0.0001")
    credit = {"amount": given, "reason": "a gift"}
    assert money_in(admin, "POST", "/users/{id}/credits", credit, id=rich.id) == [
        ("amount", str(given)),
        ("user_balance", str(left + given)),
    ]
    manual = {
        **{"operation_id": record["operation_id"], "user_id": rich.id, "operation_response": 3},
        **{"amount": -BALANCE, "user_balance": MAX_COST},
    }
    assert money_in(admin, "POST", "/records", manual) == [
        ("amount", f"-{BALANCE}"),
        ("user_balance", str(MAX_COST)),
    ]

    mistake = {"reason": "a mistake"}
    back = [("amount", str(COST)), ("user_balance", str(left + given + COST))]
    assert money_in(admin, "POST", "/records/{id}/refund", mistake, id=billed["id"]) == back
    again = upload(rich, HEADER + b"square_root,[16]\n").rpartition("/")[2]
    assert ended(rich, f"{API}/tasks/{again}")["status"] == "completed"
    assert money_in(admin, "POST", "/tasks/{task_id}/refund", mistake, task_id=again) == back
    left += given + COST

    paid = left // COST
    path = upload(rich, HEADER + b"square_root,[16]\n" * (int(paid) + 1))
    assert ended(rich, path)["status"] == "out_of_credit"
    spent = [("spent", f"{(paid * COST).normalize():f}")]
    assert money_in(rich, "POST", "/tasks/{task_id}/resume", task_id=path.rpartition("/")[2]) == spent

    content = HEADER + b"square_root,[16]\n"
    body = {"filename": "a.csv", "size": len(content), "dry_run": True}
    grant = send(rich, "POST", f"{API}/tasks", body).json()
    assert s3.post(grant["url"], data=grant["fields"], files={"file": content}).is_success
    assert ended(rich, f"{API}/tasks/{grant['id']}")["status"] == "quoted"
    assert money_in(rich, "POST", "/tasks/{task_id}/start", task_id=grant["id"]) == [
        ("spent", "0"),
        ("cost", str(COST)),
    ]

    assert called == routes_with_money(), "call each route that shows money in tests/e2e/test_exact_money.py"


def test_money_is_a_string_with_all_digits_if_the_client_prefers_it(
    rich: Client, expensive_operation: str
) -> None:
    prefer = {"Prefer": "money=string"}
    body = {"type": "square_root", "arguments": [9]}
    left = str(BALANCE - COST)
    first = rich.post(f"{API}/process_operation", json=body, headers={**prefer, "Idempotency-Key": "strings"})
    assert first.headers["Preference-Applied"] == "money=string"
    charged = first.json()
    assert (charged["amount"], charged["user_balance"], charged["result"]) == (str(COST), left, 3)
    again = rich.post(f"{API}/process_operation", json=body, headers={"Idempotency-Key": "strings"})
    assert money(again) == [("amount", str(COST)), ("user_balance", left)]
    assert "Preference-Applied" not in again.headers
    (record,) = rich.get(f"{API}/records", headers=prefer).json()["records"]
    assert (record["amount"], record["arguments"], record["operation_response"]) == (str(COST), [9], 3)
    assert rich.get(f"{API}/users/me", headers=prefer).json()["balance"] == left
    entry = rich.get(f"{API}/ledger", params={"kind": "charge"}, headers=prefer).json()["ledger"][0]
    assert (entry["amount"], entry["balance_before"]) == (f"-{COST}", str(BALANCE))


def test_problem_shows_money_as_strings_if_the_client_prefers_it(
    admin: Client, rich: Client, expensive_operation: str
) -> None:
    assert send(admin, "PATCH", f"{API}/operations/{expensive_operation}", {"cost": MAX_COST}).is_success
    body = {"type": "square_root", "arguments": [9]}
    response = rich.post(f"{API}/process_operation", json=body, headers={"Prefer": "money=string"})
    problem = expect.problem(response, 402)
    assert (problem["balance"], problem["cost"]) == (str(BALANCE), str(MAX_COST))
    assert response.headers["Preference-Applied"] == "money=string"


def test_problem_shows_all_digits(admin: Client, rich: Client, expensive_operation: str) -> None:
    assert send(admin, "PATCH", f"{API}/operations/{expensive_operation}", {"cost": MAX_COST}).is_success
    response = rich.compute("square_root", 9)
    detail = expect.problem(response, 402)["detail"]
    assert money(response) == [("balance", str(BALANCE)), ("cost", str(MAX_COST))]
    assert str(BALANCE) in detail
    assert str(MAX_COST) in detail
    body = {"amount": -MAX_COST, "reason": "too much"}
    response = send(admin, "POST", f"{API}/users/{rich.id}/credits", body)
    assert str(BALANCE) in expect.problem(response, 422)["detail"]
