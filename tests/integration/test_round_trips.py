"""What a call asks of the database, counted on the wire: each round trip is a wait for the network."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localstack.routes import DEFAULT_ROUTE, Service
from localstack.settings import ROOT
from shared import tokens
from shared.ids import uuid7
from shared.unit_of_work import UnitOfWork
from tests.integration.people import Person
from tests.integration.wire import round_trips, tap
from tests.unit.lambda_event import event

Sql = Callable[..., list[list[Any]]]
Route = tuple[str, str]
Call = Callable[[Route], list[str]]

HANDLERS = {
    (route.method, route.path): route.function.handler
    for route in Service.load(ROOT / "serverless.yml", {}).routes
    if route.path.startswith("/api/v1/") and route.path != DEFAULT_ROUTE
}
CHARGE = ("POST", "/api/v1/process_operation")
LISTS = {route for route, handler in HANDLERS.items() if Path(handler).stem == "list"}
OF_MORE_THAN_A_ROW = {
    ("POST", "/api/v1/process_csv"),  # stores a file
    ("POST", "/api/v1/tasks/{task_id}/resume"),  # one transaction with the sending of a message
}
SINGLE_ROW = sorted(HANDLERS.keys() - LISTS - OF_MORE_THAN_A_ROW - {CHARGE})

# One of each resource, as a path names it.
MADE = {
    "operations": "INSERT INTO operations (id, type, cost) VALUES (:id::uuid, :id::uuid::text, 5)",
    "records": "INSERT INTO records (id, user_id, operation_id, amount, user_balance)"
    " VALUES (:id::uuid, :owner::uuid, :id::uuid, 1, 1)",
    "users": "INSERT INTO users (id, email, password_hash, role, balance)"
    " VALUES (:id::uuid, :id::uuid || '@example.com', '', 'client', 9)",
    "tasks": "INSERT INTO tasks (id, user_id, filename, status, bytes_total)"
    " VALUES (:id::uuid, :owner::uuid, 'a.csv', :status::text, 1)",
    "api_keys": "INSERT INTO api_keys (id, user_id, name, key_hash)"
    " VALUES (:id::uuid, :owner::uuid, 'a', uuid_send(:id::uuid))",
}


def body(route: Route, admin: Person, operation: str) -> dict[str, Any] | None:
    """What a route is sent."""
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
        ("POST", "/api/v1/users/{id}/credits"): {"amount": 5, "reason": "gift"},
    }
    return bodies.get(route)


@pytest.fixture
def call(sql: Sql, admin: Person, uow: UnitOfWork, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls a route as an admin, which succeeds; the turns that it took on the wire."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "to sign links with")
    turns = tap(monkeypatch)
    uow.database.dispose()
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    token = tokens.issue(admin.session_id, admin.id, "admin").access

    def make(route: Route) -> Any:
        name = route[1].split("/")[3]
        status = "completed" if route[1].endswith("results") else "queued"
        wanted = {"id": uuid7(), "owner": admin.id, "status": status}
        sql(MADE[name], **wanted)
        return wanted["id"]

    def once(route: Route) -> list[str]:
        sql("UPDATE operations SET deleted_at = now() WHERE type = 'division'")
        method, path = route
        if "{" in path:
            path = path.replace("{task_id}", "{id}").format(id=make(route))
        sent = body(route, admin, str(operation_id))
        request = event(
            method,
            path,
            json.dumps(sent) if sent else None,
            headers={"authorization": f"Bearer {token}"},
        )
        app = importlib.import_module(HANDLERS[route].rpartition(".")[0].replace("/", ".")).app
        turns.clear()
        answer = app(request, None)
        assert answer["statusCode"] < 400, answer
        return turns.copy()

    return once


def test_a_call_that_charges_is_one_round_trip_whose_answer_comes_in_one_piece(call: Call) -> None:
    call(CHARGE)  # connects and prepares
    assert call(CHARGE) == ["sent", "received"]


@pytest.mark.parametrize("route", SINGLE_ROW, ids=" ".join)
def test_a_call_about_one_row_is_two_round_trips_at_the_most(call: Call, route: Route) -> None:
    call(route)
    assert 1 <= round_trips(call(route)) <= 2


@pytest.mark.parametrize("route", sorted(LISTS), ids=" ".join)
def test_a_list_asks_for_the_caller_the_page_and_the_total(call: Call, route: Route) -> None:
    call(route)
    assert 2 <= round_trips(call(route)) <= 3
