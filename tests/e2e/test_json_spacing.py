"""All routes space their JSON in the same way, also JSON within JSON."""

import re
from collections.abc import Callable

import httpx

from shared.http.responses import JSON
from tests.e2e.test_locations import CREATE
from tests.support.declared_routes import OPERATIONS, Declared
from tests.support.http_client import API, PASSWORD, Client, exact
from tests.support.uploads import HEADER, SUM, ended, top_up, upload

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
PATHS = {str(route): re.compile(re.sub(r"\{\w+\}", "[0-9a-f-]{36}", route.path)) for route in OPERATIONS}
UNKNOWN_PATH = f"{API}/nothing"
COMMITTED_FILE = "GET /openapi.json"
ANY_JSON = {"list": [1, {"quoted": '\\": \\\\": '}], "": {}}
"""A result of a manual record, with text that resembles the end of a member's name."""


def returns_json(route: Declared) -> bool:
    responses = route.operation["responses"].items()
    return any(status[0] == "2" and JSON in response.get("content", {}) for status, response in responses)


def assert_spaced(response: httpx.Response) -> None:
    """Assert that a body has one space after each comma, one on both sides of each colon, and no other."""
    response.read()
    if "json" in response.headers.get("Content-Type", ""):
        found = STRING.sub('""', response.text)
        compact = re.sub(r"\s", "", found)
        assert found == compact.replace(",", ", ").replace(":", " : "), response.request.url


def record_routes(client: Client, routes: set[str]) -> Client:
    """Check every later response of a client, and add its route."""

    def check(response: httpx.Response) -> None:
        assert_spaced(response)
        method, path = response.request.method, response.request.url.path
        if path != UNKNOWN_PATH:
            assert response.is_success, response.text
            routes.add(next(r for r in PATHS if r.startswith(f"{method} ") and PATHS[r].fullmatch(path)))

    client.event_hooks = {"response": [check]}
    return client


def test_all_routes_space_their_json_alike(account: Callable[..., Client], s3: httpx.Client) -> None:
    called = set[str]()
    admin = record_routes(account(role="admin", balance=100), called)
    client = record_routes(account(balance=20), called)

    client.sign_in(client.email)
    client.refresh()
    client.get("/refresh")
    client.get("/health")
    client.get(UNKNOWN_PATH)
    for create in CREATE.values():
        create(admin)

    limit = {"amount": 10, "per": "day"}
    admin.post(f"{API}/api_keys", json={"name": "x", "scopes": ["read", "batch"], "spend_limit": limit})
    (operation,) = admin.rows("operations", type="addition")
    admin.patch(f"{API}/operations/{operation['id']}", json={"cost": operation["cost"]})
    manual = {"operation_id": operation["id"], "user_id": client.id, "amount": 1, "user_balance": 1}
    record = exact(admin.post(f"{API}/records", json={**manual, "operation_response": ANY_JSON}))
    assert record["operation_response"] == ANY_JSON
    admin.patch(f"{API}/records/{record['id']}", json={"operation_response": [ANY_JSON, {"a": 1, "b": 2}]})
    charged = exact(client.compute())
    admin.post(f"{API}/records/{charged['record_id']}/refund", json={"reason": 'a "mistake": yes'})

    created = exact(client.post(f"{API}/tasks", json={"filename": "a.csv", "size": 38, "dry_run": True}))
    path = f"{API}/tasks/{created['id']}"
    assert s3.post(created["url"], data=created["fields"], files={"file": HEADER + SUM}).is_success
    ended(client, path, statuses=["quoted"])
    client.post(f"{path}/start")
    ended(client, path, statuses=["completed"])
    admin.post(f"{path}/refund", json={"reason": "a mistake"})
    client.get(f"{path}/results", headers={"Accept": "application/json"})
    poor = upload(client, HEADER + SUM * 5)
    ended(client, poor, statuses=["out_of_credit"])
    top_up(admin, client, 100)
    client.post(f"{poor}/resume")
    waiting = exact(client.post(f"{API}/tasks", json={"filename": "a.csv", "size": 38}))
    client.post(f"{API}/tasks/{waiting['id']}/cancel")
    export = exact(client.post(f"{API}/exports", json={"resource": "ledger"}))
    client.get(f"{API}/exports/{export['id']}")

    webhook = exact(admin.patch(f"{API}/webhooks/{admin.rows('webhooks')[0]['id']}", json={"paused": False}))
    hook = f"{API}/webhooks/{webhook['id']}"
    delivery = exact(admin.post(f"{hook}/test"))
    admin.post(f"{hook}/rotate_secret")
    admin.get(f"{hook}/deliveries")
    admin.post(f"{hook}/deliveries/{delivery['id']}/redeliver")
    admin.get(hook)
    admin.get(f"{API}/webhooks", params={"fields": "events"})
    admin.patch(f"{API}/users/me", json={"low_balance_threshold": 5})

    for name in ("sessions", "tasks", "exports", "api_keys", "operations", "records", "users", "ledger"):
        rows = admin.rows(name)
        if name not in ("sessions", "ledger"):
            admin.get(f"{API}/{name}/{rows[0]['id']}")
    admin.rows("audit_log")
    admin.get(f"{API}/usage")
    fields = {"api_keys": "scopes,spend_limit", "records": "arguments,operation_response"}
    for name, wanted in {**fields, "ledger": "reference", "audit_log": "before,after"}.items():
        admin.get(f"{API}/{name}", params={"fields": wanted})

    admin.delete(hook)
    (key, *_) = admin.rows("api_keys")
    admin.delete(f"{API}/api_keys/{key['id']}")
    admin.delete(f"{API}/records/{record['id']}")
    client.delete(f"{API}/sessions/{client.rows('sessions')[-1]['id']}")
    client.post(f"{API}/users/me/password", json={"current_password": PASSWORD, "new_password": PASSWORD})
    admin.delete(f"{API}/users/{client.id}")
    admin.post("/logout")

    missing = {str(route) for route in OPERATIONS if returns_json(route)} - called - {COMMITTED_FILE}
    assert missing == set(), "call the new route here, with JSON within its JSON"
