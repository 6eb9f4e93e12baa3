"""Idempotency-Key on the routes that create something: a retry creates nothing and returns the same."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.declared_routes import OPERATIONS
from tests.support.http_client import API, PASSWORD, Client, exact, new_email
from tests.support.uploads import HEADER, SUM, ended

REPLAYED = "Idempotent-Replayed"
Send = Callable[..., httpx.Response]

IDEMPOTENT = {
    str(route)
    for route in OPERATIONS
    if any(p["name"] == "Idempotency-Key" for p in route.operation.get("parameters", []))
}
"""The routes that support the header."""
TESTED_ELSEWHERE = {
    f"POST {API}/process_operation",
    f"POST {API}/users/{{id}}/credits",
    f"POST {API}/records/{{id}}/refund",
    f"POST {API}/tasks/{{task_id}}/refund",
    f"POST {API}/tasks/{{task_id}}/start",
}
"""Routes that change something that exists: the tests of each feature test their idempotency."""


def file(content: bytes = HEADER + SUM) -> dict[str, Any]:
    return {"files": {"file": ("sums.csv", content, "text/csv")}}


@pytest.fixture
def bodies(admin: Client, client: Client) -> Iterator[dict[str, tuple[dict[str, Any], dict[str, Any]]]]:
    """Two different requests for each route."""
    (division,) = admin.rows("operations", type="division")
    assert admin.delete(f"{API}/operations/{division['id']}").is_success
    price = {"type": "division", "cost": 5}
    record = {
        "operation_id": division["id"],
        "user_id": client.id,
        "user_balance": 1,
        "operation_response": 2,
    }
    user = {"email": new_email(), "password": PASSWORD}
    yield {
        f"POST {API}/exports": (
            {"json": {"resource": "records"}},
            {"json": {"resource": "records", "format": "jsonl"}},
        ),
        f"POST {API}/operations": ({"json": price}, {"json": {**price, "cost": 6}}),
        f"POST {API}/process_csv": (file(), file(HEADER + SUM * 2)),
        f"POST {API}/records": ({"json": {**record, "amount": 1}}, {"json": {**record, "amount": 2}}),
        f"POST {API}/tasks": (
            {"json": {"filename": "a.csv", "size": 9}},
            {"json": {"filename": "a.csv", "size": 8}},
        ),
        f"POST {API}/users": ({"json": user}, {"json": {**user, "password": PASSWORD + "2"}}),
    }
    if not admin.rows("operations", type="division"):
        assert admin.post(f"{API}/operations", json=price).is_success


CREATIONS = ["exports", "operations", "process_csv", "records", "tasks", "users"]


def test_every_idempotent_route_is_tested() -> None:
    assert {f"POST {API}/{name}" for name in CREATIONS} | TESTED_ELSEWHERE == IDEMPOTENT


def send(caller: Client, route: str, key: str, request: dict[str, Any]) -> httpx.Response:
    return caller.post(route.partition(" ")[2], headers={"Idempotency-Key": key}, **request)


@pytest.mark.parametrize("name", CREATIONS)
def test_retried_creation_returns_the_first_response_and_creates_nothing(
    admin: Client, bodies: dict[str, tuple[dict[str, Any], dict[str, Any]]], name: str
) -> None:
    route, key = f"POST {API}/{name}", str(uuid4())
    request, other_request = bodies[route]
    first = send(admin, route, key, request)
    assert first.status_code in (201, 202), first.text
    resource = "tasks" if name == "process_csv" else name
    count = len(admin.rows(resource, **({"type": "division"} if name == "operations" else {})))
    for _ in range(2):
        again = send(admin, route, key, request)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers[REPLAYED] == "true"
        assert again.headers["Location"] == first.headers["Location"]
    assert len(admin.rows(resource, **({"type": "division"} if name == "operations" else {}))) == count
    problem = expect.problem(send(admin, route, key, other_request), 422)
    assert problem["type"] == "/problems/idempotency-key-reused"


@pytest.mark.parametrize("name", CREATIONS)
def test_concurrent_creations_with_one_key_create_once(
    admin: Client,
    connect: Connect,
    bodies: dict[str, tuple[dict[str, Any], dict[str, Any]]],
    name: str,
) -> None:
    route, key, token = f"POST {API}/{name}", str(uuid4()), admin.access_token
    callers = [connect(bearer=token) for _ in range(6)]
    with ThreadPoolExecutor(len(callers)) as pool:
        responses = list(pool.map(lambda caller: send(caller, route, key, bodies[route][0]), callers))
    done = [response for response in responses if response.is_success]
    assert len({response.content for response in done}) == 1
    assert sum(REPLAYED not in response.headers for response in done) == 1
    for response in responses:
        if response not in done:
            expect.problem(response, 409)
            assert response.headers["Retry-After"] == "1"


def test_rejected_creation_does_not_consume_its_key(admin: Client) -> None:
    route, key, email = f"POST {API}/users", str(uuid4()), new_email()
    user = {"json": {"email": email, "password": PASSWORD}}
    assert admin.post(f"{API}/users", **user).status_code == 201
    expect.problem(send(admin, route, key, user), 409)
    assert send(admin, route, key, {"json": {"email": new_email(), "password": PASSWORD}}).status_code == 201


def test_same_key_on_another_route_is_another_key(admin: Client, client: Client) -> None:
    key = str(uuid4())
    task = send(client, f"POST {API}/tasks", key, {"json": {"filename": "a.csv", "size": 9}})
    assert task.status_code == 201
    charged = client.compute(key=key)
    assert (charged.status_code, REPLAYED in charged.headers) == (200, False)


def test_retried_file_is_charged_once(client: Client) -> None:
    key = str(uuid4())
    paths = {send(client, f"POST {API}/process_csv", key, file()).headers["Location"] for _ in range(3)}
    (path,) = paths
    assert ended(client, path)["spent"] == 5
    assert send(client, f"POST {API}/process_csv", key, file()).headers["Location"] == path
    assert client.balance == 15
    assert len(client.rows("tasks")) == 1


def final_state(account: Callable[..., Client], s3: httpx.Client, tries: int) -> tuple[set[str], list[Any]]:
    """Use every idempotent route as a new client and a new admin who send each request `tries` times.

    Return the routes, and what the client and the admin have in the end.
    """
    client, admin, used = account(balance=100), account(role="admin"), set[str]()

    def retried(caller: Client, route: str, id: str = "", **request: Any) -> httpx.Response:
        used.add(route)
        path, key = re.sub(r"\{\w+\}", id, route.partition(" ")[2]), str(uuid4())
        for _ in range(tries):
            response = caller.post(path, headers={"Idempotency-Key": key}, **request)
            assert response.is_success, response.text
        return response

    call = {"type": "addition", "arguments": [1, 2]}
    record = retried(client, f"POST {API}/process_operation", json=call).json()["record_id"]
    task = retried(client, f"POST {API}/process_csv", **file(HEADER + SUM * 3))
    ended(client, task.headers["Location"])
    content = HEADER + SUM * 2
    body = {"filename": "a.csv", "size": len(content), "dry_run": True}
    quoted = retried(client, f"POST {API}/tasks", json=body)
    grant = quoted.json()
    assert s3.post(grant["url"], data=grant["fields"], files={"file": content}).is_success
    ended(client, quoted.headers["Location"], statuses=["quoted"])
    retried(client, f"POST {API}/tasks/{{task_id}}/start", grant["id"])
    ended(client, quoted.headers["Location"], statuses=["completed"])
    voucher, mistake = {"amount": 7, "reason": "a voucher"}, {"reason": "a mistake"}
    retried(admin, f"POST {API}/users/{{id}}/credits", client.id, json=voucher)
    retried(admin, f"POST {API}/records/{{id}}/refund", record, json=mistake)
    retried(admin, f"POST {API}/tasks/{{task_id}}/refund", task.json()["task_id"], json=mistake)
    export = retried(client, f"POST {API}/exports", json={"resource": "ledger"})
    ended(client, export.headers["Location"], statuses=["completed"])

    (division,) = admin.rows("operations", type="division")
    assert admin.delete(f"{API}/operations/{division['id']}").is_success
    priced = retried(admin, f"POST {API}/operations", json={"type": "division", "cost": 5}).json()["id"]
    manual = {"operation_id": priced, "user_id": client.id, "amount": 1, "user_balance": 2}
    retried(admin, f"POST {API}/records", json={**manual, "operation_response": 3})
    email = new_email()
    retried(admin, f"POST {API}/users", json={"email": email, "password": PASSWORD})
    return used, [
        client.balance,
        [(entry["kind"], entry["amount"]) for entry in client.rows("ledger")],
        [(one["operation"], one["amount"], one["task_row"]) for one in client.rows("records")],
        [(task["filename"], task["status"], task["spent"]) for task in client.rows("tasks")],
        [(export["status"], export["rows_done"]) for export in client.rows("exports")],
        [(entry["action"], entry["resource"]) for entry in admin.rows("audit_log", actor_id=admin.id)],
        len(admin.rows("operations", type="division")),
        len(admin.rows("users", email=email)),
    ]


def test_client_that_loses_every_first_response_ends_in_the_same_state(
    account: Callable[..., Client], s3: httpx.Client
) -> None:
    """Each request is sent once by one client and twice by the other."""
    used, once = final_state(account, s3, tries=1)
    assert used == IDEMPOTENT
    assert final_state(account, s3, tries=2) == (used, once)


UNSUPPORTED = [route for route in OPERATIONS if route.method != "GET" and str(route) not in IDEMPOTENT]


@pytest.mark.parametrize("route", UNSUPPORTED, ids=str)
def test_route_without_idempotency_rejects_the_key(account: Callable[..., Client], route: Any) -> None:
    caller = account(role="admin")
    response = caller.request(
        route.method, route.concrete(), json=route.body(), headers={"Idempotency-Key": "a key"}
    )
    assert expect.pointers(response) == ["#/headers/Idempotency-Key"]


def test_replayed_upload_grant_is_the_first_one(client: Client) -> None:
    key, request = str(uuid4()), {"json": {"filename": "a.csv", "size": 9}}
    first, again = (exact(send(client, f"POST {API}/tasks", key, request)) for _ in range(2))
    assert again["fields"] == first["fields"]
