"""Database round trips per call, counted on the socket: each one costs network latency."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.environment import ROOT
from deploy.serverless_file import DEFAULT_ROUTE, Service
from shared import database
from shared.auth import tokens
from shared.auth.passwords import hash_password
from shared.database import dispose_connections
from shared.ids import uuid7
from shared.operations import random_string
from shared.settings import settings
from tests.support.fake_random_org import KEY, RandomOrg
from tests.support.lambda_event import event
from tests.support.recording_socket import record_turns, round_trips
from tests.support.users import Person, create_api_key

Sql = Callable[..., list[list[Any]]]
Route = tuple[str, str]
Call = Callable[[Route], list[str]]
Send = Callable[[Route, dict[str, Any]], list[str]]

HANDLERS = {
    (route.method, route.path): route.function.handler
    for route in Service.load(ROOT / "serverless.yml", {}).routes
    if route.path != DEFAULT_ROUTE
}
CHARGE = ("POST", "/api/v1/process_operation")
LISTS = {route for route, handler in HANDLERS.items() if Path(handler).stem == "list"}
MORE_THAN_ONE_ROW = {
    ("POST", "/api/v1/process_csv"),  # stores a file
    # One transaction with the sending of a message.
    ("POST", "/api/v1/tasks/{task_id}/cancel"),
    ("POST", "/api/v1/tasks/{task_id}/resume"),
    ("POST", "/api/v1/tasks/{task_id}/start"),
    ("POST", "/api/v1/exports"),  # sends a message
    # These lock the user's row first, so that the next statement sees all committed changes.
    ("POST", "/api/v1/api_keys"),
    ("PATCH", "/api/v1/users/{id}"),
    ("POST", "/api/v1/users/me/password"),
    ("DELETE", "/api/v1/users/{id}"),
    ("POST", "/api/v1/webhooks"),
    ("GET", "/api/v1/webhooks/{id}/deliveries"),  # a list of an object's rows
    # They send a message.
    ("POST", "/api/v1/webhooks/{id}/test"),
    ("POST", "/api/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver"),
}
SINGLE_ROW = sorted(
    route
    for route in HANDLERS.keys() - LISTS - MORE_THAN_ONE_ROW - {CHARGE}
    if route[1].startswith("/api/v1/")
)

pytestmark = pytest.mark.usefixtures("database_url")

# The statement that inserts a row of each resource, by its name in the path.
INSERT_ROW = {
    "operations": "INSERT INTO operations (id, type, cost) VALUES (:id::uuid, :id::uuid::text, 5)",
    "records": "INSERT INTO records (id, user_id, operation_id, arguments, amount, user_balance)"
    " SELECT :id::uuid, :owner::uuid, id, '[]', 1, 1 FROM operations WHERE type = 'addition'",
    "users": "INSERT INTO users (id, email, password_hash, role, balance)"
    " VALUES (:id::uuid, :id::uuid || '@example.com', '', 'client', 9)",
    "tasks": "WITH task AS (INSERT INTO tasks (id, user_id, filename, status, bytes_total, spent)"
    " VALUES (:id::uuid, :owner::uuid, 'a.csv', :status::text, 1, 1) RETURNING id)"
    " INSERT INTO task_operations (task_id, type, rows, spent) SELECT id, 'addition', 1, 1 FROM task",
    "exports": "INSERT INTO exports (id, user_id, resource, format, query)"
    " VALUES (:id::uuid, :owner::uuid, 'records', 'csv', '')",
    "sessions": "INSERT INTO sessions (id, user_id, refresh_id, expires_at)"
    " VALUES (:id::uuid, :owner::uuid, :id::uuid, now() + interval '1 day')",
    "webhooks": "INSERT INTO webhooks (id, user_id, url, events, secret)"
    " VALUES (:id::uuid, :owner::uuid, 'https://example.com', '{task.failed}', 'whsec_')",
    "api_keys": "INSERT INTO api_keys (id, user_id, name, key_hash)"
    " VALUES (:id::uuid, :owner::uuid, 'a', uuid_send(:id::uuid))",
}


def body(route: Route, admin: Person, operation: str) -> dict[str, Any] | None:
    """Return the request body for a route."""
    bodies: dict[Route, dict[str, Any]] = {
        CHARGE: {"type": "addition", "arguments": [1, 2]},
        ("POST", "/api/v1/tasks"): {"filename": "a.csv", "size": 100},
        ("POST", "/api/v1/api_keys"): {"name": "program"},
        ("POST", "/api/v1/operations"): {"type": "division", "cost": 5},
        ("PATCH", "/api/v1/operations/{id}"): {"cost": 6},
        ("POST", "/api/v1/records"): {
            "operation_id": operation,
            "user_id": str(admin.id),
            **dict.fromkeys(("amount", "user_balance", "operation_response"), 1),
        },
        ("PATCH", "/api/v1/records/{id}"): {"amount": 2},
        ("POST", "/api/v1/users"): {"email": f"{uuid4()}@example.com", "password": "Lovelace1!"},
        ("PATCH", "/api/v1/users/{id}"): {"balance": 7},
        ("PATCH", "/api/v1/users/me"): {"low_balance_threshold": 7},
        ("PATCH", "/api/v1/webhooks/{id}"): {"paused": True},
        ("POST", "/api/v1/users/{id}/credits"): {"amount": 5, "reason": "gift"},
        ("POST", "/api/v1/records/{id}/refund"): {"reason": "a mistake"},
        ("POST", "/api/v1/tasks/{task_id}/refund"): {"reason": "a mistake"},
    }
    return bodies.get(route)


PINNING = """
SELECT 'prepared: ' || name AS state FROM pg_prepared_statements
UNION ALL SELECT 'set: ' || name FROM pg_settings
WHERE source = 'session' OR (source = 'client' AND name NOT IN ('application_name', 'client_encoding'))
UNION ALL SELECT 'advisory lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'temporary: ' || relname FROM pg_class WHERE relpersistence = 't'
UNION ALL SELECT 'cursor: ' || name FROM pg_cursors WHERE is_holdable
UNION ALL SELECT 'listening: ' || channel FROM pg_listening_channels() channel"""
"""The session state that makes RDS Proxy pin a session (RDS User Guide, "Avoiding pinning an RDS Proxy")."""


@pytest.fixture
def proxy_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PGSQL_PATH", f"{database_url}&proxy=true")
    settings.cache_clear()


@pytest.fixture
def send(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Return a function that sends a route an event, which must succeed, and returns the socket's turns."""
    turns = record_turns(monkeypatch)
    dispose_connections()

    def once(route: Route, request: dict[str, Any]) -> list[str]:
        app = importlib.import_module(HANDLERS[route].rpartition(".")[0].replace("/", ".")).app
        turns.clear()
        response = app(request, None)
        assert response["statusCode"] < 400, (
            f"{response}\nDoes {route} need a body or a row of its own? See `body` and `INSERT_ROW` in"
            " tests/integration/test_round_trips.py."
        )
        return turns.copy()

    return once


@pytest.fixture
def call(sql: Sql, admin: Person, send: Send, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that calls a route as an admin and returns the socket's turns."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "to sign links with")
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    token = tokens.issue(admin.session_id, admin.id, "admin").access

    def make(route: Route) -> Any:
        name = route[1].split("/")[3]
        status = "completed" if route[1].endswith(("results", "refund")) else "queued"
        parameters = {"id": uuid7(), "owner": admin.id, "status": status}
        sql(INSERT_ROW[name], **parameters)
        return parameters["id"]

    def once(route: Route) -> list[str]:
        sql("UPDATE operations SET deleted_at = now() WHERE type = 'division'")
        method, path = route
        if "{" in path:
            path = path.replace("{task_id}", "{id}").format(id=make(route))
        sent = body(route, admin, str(operation_id))
        return send(route, event(method, path, json.dumps(sent) if sent else None, headers=bearer(token)))

    return once


def charge(operation: str, headers: dict[str, str]) -> dict[str, Any]:
    arguments = [1, 2] if operation == "addition" else []
    return event(*CHARGE, json.dumps({"type": operation, "arguments": arguments}), headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_charge_takes_one_round_trip_with_one_response(call: Call) -> None:
    call(CHARGE)  # connects and prepares
    assert call(CHARGE) == ["sent", "received"]


def test_charge_with_api_key_idempotency_key_or_replay_takes_one_round_trip(
    client: Person, send: Send
) -> None:
    key = create_api_key(client.id, limit_amount=10, limit_per="day").secret
    for idempotency_key in ("first", "second", "second"):
        turns = send(CHARGE, charge("addition", {**bearer(key), "idempotency-key": idempotency_key}))
    assert turns == ["sent", "received"]


def test_charge_with_a_remote_call_takes_two_round_trips(
    client: Person, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.issue(client.session_id, client.id, "client").access
    monkeypatch.setenv("RANDOM_STRING_API_KEY", KEY)
    settings.cache_clear()
    with RandomOrg.running() as random_org:
        monkeypatch.setattr(random_string, "ENDPOINT", random_org.endpoint)
        for _ in range(2):
            turns = send(CHARGE, charge("random_string", bearer(token)))
    random_string._ready.clear()
    assert round_trips(turns) == 2


def test_sign_in_takes_two_round_trips_and_refresh_and_logout_one(
    sql: Sql, client: Person, send: Send
) -> None:
    pair = tokens.issue(client.session_id, client.id, "client")
    signing_in = json.dumps({"email": client.email, "password": "Lovelace1!"})
    sql("UPDATE users SET password_hash = :hashed", hashed=hash_password("Lovelace1!"))
    trips = {}
    for _ in range(2):  # the first one connects and prepares
        sql("UPDATE sessions SET refresh_id = :id::uuid", id=pair.refresh_id)
        for route, request in {
            ("POST", "/login"): event("POST", "/login", signing_in),
            ("GET", "/refresh"): event("GET", "/refresh", headers=bearer(pair.access)),
            ("POST", "/refresh"): event("POST", "/refresh", headers=bearer(pair.refresh)),
        }.items():
            trips[route] = round_trips(send(route, request))
    for _ in range(2):
        trips["POST", "/logout"] = round_trips(
            send(("POST", "/logout"), event("POST", "/logout", headers=bearer(pair.access)))
        )
    assert trips == {
        ("POST", "/login"): 2,
        ("GET", "/refresh"): 1,
        ("POST", "/refresh"): 1,
        ("POST", "/logout"): 1,
    }


def test_own_password_change_takes_six_round_trips(sql: Sql, client: Person, send: Send) -> None:
    token = tokens.issue(client.session_id, client.id, "client").access
    sent = json.dumps({"current_password": "Lovelace1!", "new_password": "Lovelace1!"})
    sql("UPDATE users SET password_hash = :hashed", hashed=hash_password("Lovelace1!"))
    route = ("POST", "/api/v1/users/me/password")
    for _ in range(2):  # the first one connects and prepares
        turns = send(route, event(*route, sent, headers=bearer(token)))
    assert round_trips(turns) == 6


@pytest.mark.parametrize("route", SINGLE_ROW, ids=" ".join)
def test_call_about_one_row_takes_at_most_two_round_trips(call: Call, route: Route) -> None:
    call(route)
    trips = round_trips(call(route))
    assert 1 <= trips <= 2, (
        f"{trips}: write one statement, or add the route and the reason to MORE_THAN_ONE_ROW."
    )


@pytest.mark.parametrize("route", sorted(LISTS), ids=" ".join)
def test_list_takes_at_most_three_round_trips(call: Call, route: Route) -> None:
    call(route)
    assert 2 <= round_trips(call(route)) <= 3


@pytest.mark.parametrize("route", sorted({CHARGE, *SINGLE_ROW, *LISTS}), ids=" ".join)
def test_call_leaves_no_session_state_that_pins_a_proxy_connection(
    proxy_url: None, call: Call, route: Route
) -> None:
    call(route)
    limit = 1 if route == CHARGE else 3 if route in LISTS else 2
    assert round_trips(call(route)) <= limit
    assert database.query(PINNING, {}) == []
