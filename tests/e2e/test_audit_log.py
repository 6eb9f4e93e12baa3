"""The audit log: every change by an admin has an entry, which only admins see."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import ADMIN_PASSWORD, Connect
from tests.support import expect
from tests.support.access_matrix import FOR_ADMINS
from tests.support.http_client import API, PASSWORD, Client, exact, new_email
from tests.support.uploads import HEADER, ended

LOG = f"{API}/audit_log"
CHANGES = {route.replace(API, "") for route in FOR_ADMINS if not route.startswith("GET ")}
"""The routes by which only admins change something."""


@pytest.fixture(scope="module")
def operator(account: Callable[..., Client]) -> Client:
    """An admin of this module's own, so that the log of this admin contains nothing else."""
    return account(role="admin")


def changes(operator: Client, client: Client) -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    """Send each change that only admins may make; yield its route and the entry's action, resource and id."""

    def send(method: str, path: str, body: Any = None) -> Any:
        response = operator.request(method, f"{API}{path}", json=body)
        assert response.is_success, response.text
        return exact(response) if response.content else None

    reason = {"reason": "a mistake"}
    user = send("POST", "/users", {"email": new_email(), "password": PASSWORD})["id"]
    yield "POST /users", "create", ("user", user, "after")
    send("PATCH", f"/users/{user}", {"status": "inactive", "password": PASSWORD})
    yield "PATCH /users/{id}", "update", ("user", user, "both")
    send("POST", f"/users/{user}/credits", {"amount": 5, "reason": "a gift"})
    yield "POST /users/{id}/credits", "grant", ("user", user, "both")
    send("DELETE", f"/users/{user}")
    yield "DELETE /users/{id}", "delete", ("user", user, "before")

    charged = exact(client.compute())["record_id"]
    send("POST", f"/records/{charged}/refund", reason)
    yield "POST /records/{id}/refund", "refund", ("record", charged, "both")
    (operation,) = operator.rows("operations", type="addition")
    values = {"amount": 5, "user_balance": 5, "operation_response": 3}
    owners = {"operation_id": operation["id"], "user_id": client.id}
    record = send("POST", "/records", {**owners, **values})["id"]
    yield "POST /records", "create", ("record", record, "after")
    send("PATCH", f"/records/{record}", {"amount": 6})
    yield "PATCH /records/{id}", "update", ("record", record, "both")
    send("DELETE", f"/records/{record}")
    yield "DELETE /records/{id}", "delete", ("record", record, "before")

    (priced,) = operator.rows("operations", type="square_root")
    send("PATCH", f"/operations/{priced['id']}", {"cost": 7})
    yield "PATCH /operations/{id}", "update", ("operation", priced["id"], "both")
    send("DELETE", f"/operations/{priced['id']}")
    yield "DELETE /operations/{id}", "delete", ("operation", priced["id"], "before")
    created = send("POST", "/operations", {"type": "square_root", "cost": float(priced["cost"])})["id"]
    yield "POST /operations", "create", ("operation", created, "after")


def test_every_change_by_an_admin_has_one_entry(operator: Client, client: Client) -> None:
    operator_id, sent = operator.id, set[str]()
    for route, action, (resource, resource_id, shows) in changes(operator, client):
        newest = operator.rows("audit_log", actor_id=operator_id)
        assert len(newest) == len(sent) + 1, route
        entry = newest[0]
        assert (entry["action"], entry["resource"], entry["resource_id"]) == (action, resource, resource_id)
        assert (entry["before"] is not None) == (shows != "after"), route
        assert (entry["after"] is not None) == (shows != "before"), route
        assert PASSWORD not in str(entry)
        assert "argon2" not in str(entry)
        sent.add(route)
    refund_of_a_task = {"POST /tasks/{task_id}/refund"}  # in tests/integration/test_refunds.py
    assert sent | refund_of_a_task == CHANGES


def test_admin_has_entries_for_own_keys_and_for_tasks_of_others(
    account: Callable[..., Client], client: Client, connect: Connect
) -> None:
    one = account(role="admin")
    key, own = (exact(one.post(f"{API}/api_keys", json={"name": name})) for name in ("x", "own"))
    assert one.delete(f"{API}/api_keys/{key['id']}").status_code == 200
    assert connect(bearer=own["key"]).delete(f"{API}/api_keys/{own['id']}").status_code == 200
    tasks = [
        exact(who.post(f"{API}/tasks", json={"filename": "x", "size": 1}))["id"] for who in (client, one)
    ]
    for task in tasks:
        assert one.post(f"{API}/tasks/{task}/cancel").status_code == 200
        assert one.post(f"{API}/tasks/{task}/resume", json={"max_spend": 12.5}).status_code == 202
    log = one.rows("audit_log", actor_id=one.id)
    assert [(entry["action"], entry["resource_id"]) for entry in log] == [
        ("resume", tasks[0]),
        ("cancel", tasks[0]),
        ("revoke", own["id"]),
        ("revoke", key["id"]),
        ("create", own["id"]),
        ("create", key["id"]),
    ]
    assert [(entry["before"], entry["after"]) for entry in log[:2]] == [
        ({"status": "cancelled", "max_spend": None}, {"status": "awaiting_upload", "max_spend": 12.5}),
        ({"status": "awaiting_upload"}, {"status": "cancelled"}),
    ]
    assert key["key"] not in str(log)


def test_admins_start_of_another_users_quoted_task_has_an_entry(
    account: Callable[..., Client], client: Client, s3: httpx.Client
) -> None:
    one = account(role="admin")
    for owner in (client, one):
        body = {"filename": "x.csv", "size": len(HEADER), "dry_run": True}
        grant = exact(owner.post(f"{API}/tasks", json=body))
        assert s3.post(grant["url"], data=grant["fields"], files={"file": HEADER}).is_success
        path = f"{API}/tasks/{grant['id']}"
        assert ended(owner, path)["status"] == "quoted"
        assert one.post(f"{path}/start").status_code == 202
        expected = [("start", {"status": "quoted"}, {"status": "queued"})] if owner is client else []
        log = one.rows("audit_log", resource_id=grant["id"])
        assert [(entry["action"], entry["before"], entry["after"]) for entry in log] == expected
        assert {entry["actor_id"] for entry in log} <= {one.id}


def test_client_has_no_entries(client: Client, admin: Client) -> None:
    key = exact(client.post(f"{API}/api_keys", json={"name": "x"}))
    assert client.delete(f"{API}/api_keys/{key['id']}").status_code == 200
    task = exact(client.post(f"{API}/tasks", json={"filename": "x", "size": 1}))["id"]
    assert client.post(f"{API}/tasks/{task}/cancel").status_code == 200
    assert admin.rows("audit_log", actor_id=client.id) == []
    assert admin.rows("audit_log", resource_id=task) == []


def test_history_of_a_price_is_listed_newest_first(operator: Client) -> None:
    (operation,) = operator.rows("operations", type="random_string")
    path = f"{API}/operations/{operation['id']}"
    for cost in (6, 7.5, operation["cost"]):
        assert operator.patch(path, json={"cost": float(cost)}).status_code == 200
    history = exact(
        operator.get(LOG, params={"resource": "operation", "resource_id": operation["id"], "page_size": 3})
    )["audit_log"]
    costs = [(float(entry["before"]["cost"]), float(entry["after"]["cost"])) for entry in history]
    first = float(operation["cost"])
    assert costs == [(7.5, first), (6, 7.5), (first, 6)]


def test_entries_are_filtered_and_selected_like_any_list(operator: Client, admin: Client) -> None:
    created = exact(admin.post(f"{API}/users", json={"email": new_email(), "password": PASSWORD}))["id"]
    (entry,) = operator.rows("audit_log", resource_id=created, fields="action,resource,actor_id")
    assert entry == {"action": "create", "resource": "user", "actor_id": admin.id}
    assert operator.rows("audit_log", resource_id=created, action="delete") == []


def test_client_does_not_see_the_audit_log(client: Client) -> None:
    expect.problem(client.get(LOG), 403)


def test_creation_of_an_admin_with_the_admin_password_is_logged_as_their_own(
    admin: Client, isolated_client: Client
) -> None:
    body = {"email": new_email(), "password": PASSWORD, "admin_password": ADMIN_PASSWORD}
    created = exact(isolated_client.post("/admin", json=body))
    (entry,) = admin.rows("audit_log", resource_id=created["id"])
    assert (entry["actor_id"], entry["action"], entry["after"]) == (created["id"], "create", created)
