"""The Location of a 201 or 202 response returns the created resource to its creator."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import ADMIN_PASSWORD
from tests.support.declared_routes import OPERATIONS
from tests.support.http_client import API, PASSWORD, Client, exact, new_email


def recreate_price(admin: Client) -> httpx.Response:
    (operation,) = admin.rows("operations", type="square_root")
    assert admin.delete(f"{API}/operations/{operation['id']}").status_code == 200
    return admin.post(f"{API}/operations", json={"type": "square_root", "cost": operation["cost"]})


def create_record(admin: Client) -> httpx.Response:
    (operation,) = admin.rows("operations", type="addition")
    numbers = dict.fromkeys(("amount", "user_balance", "operation_response"), 1)
    return admin.post(
        f"{API}/records", json={"operation_id": operation["id"], "user_id": admin.id, **numbers}
    )


def create_admin(admin: Client) -> httpx.Response:
    secrets = {"password": PASSWORD, "admin_password": ADMIN_PASSWORD}
    return admin.post("/admin", json={"email": new_email(), **secrets})


CREATE: dict[str, Callable[[Client], httpx.Response]] = {
    "POST /admin": create_admin,
    f"POST {API}/api_keys": lambda admin: admin.post(f"{API}/api_keys", json={"name": "x"}),
    f"POST {API}/exports": lambda admin: admin.post(f"{API}/exports", json={"resource": "ledger"}),
    f"POST {API}/operations": recreate_price,
    f"POST {API}/process_csv": lambda admin: admin.post(
        f"{API}/process_csv", files={"file": ("a.csv", b"operation,arguments\n", "text/csv")}
    ),
    f"POST {API}/records": create_record,
    f"POST {API}/tasks": lambda admin: admin.post(f"{API}/tasks", json={"filename": "a.csv", "size": 9}),
    f"POST {API}/webhooks": lambda admin: admin.post(
        f"{API}/webhooks", json={"url": "https://hooks.restcalculator.invalid/", "events": ["task.failed"]}
    ),
    f"POST {API}/users": lambda admin: admin.post(
        f"{API}/users", json={"email": new_email(), "password": PASSWORD}
    ),
}


def names_a_location(responses: dict[str, Any]) -> bool:
    return any("Location" in responses.get(status, {}).get("headers", {}) for status in ("201", "202"))


def test_every_route_with_a_location_is_tested_here() -> None:
    creates = {str(route) for route in OPERATIONS if names_a_location(route.operation["responses"])}
    assert creates == CREATE.keys(), "add the new route to CREATE in tests/e2e/test_locations.py"


@pytest.mark.parametrize("create", CREATE.values(), ids=CREATE)
def test_location_returns_the_created_resource(
    account: Callable[..., Client], create: Callable[[Client], httpx.Response]
) -> None:
    admin = account(role="admin")
    response = create(admin)
    assert response.status_code in (201, 202), response.text
    created, found = exact(response), exact(admin.get(response.headers["Location"]))
    assert found["id"] == created["id"]
