"""A connection to Postgres breaks before or after a commit: the caller gets 503, and a retry commits once."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from localstack.cloud import BUCKET
from shared import aws
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness
from tests.support.batch.processes import WorkerProcess
from tests.support.batch.stage import AFTER, BEFORE, Fault
from tests.support.declared_routes import SIGNED_IN
from tests.support.functions import HANDLER, Response
from tests.support.http_client import API, PASSWORD, new_email
from tests.support.lambda_event import event
from tests.support.totals import TOTALS, totals
from tests.support.webhooks import UNKNOWN_HOST

FILE = b'operation,arguments\naddition,"[1, 2]"\n'
FORM = "multipart/form-data; boundary=x"
NEW_PASSWORD = "Another-1!"
REASON = {"reason": "a mistake"}
WEBHOOK = {"url": UNKNOWN_HOST, "events": ["task.failed"]}


class Service:
    """All functions in one container, and the worker, behind the proxies of the harness."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._container = WorkerProcess(harness.proxied_environment, {}, HANDLER)
        self._deliveries = Deliveries(harness)

    def close(self) -> None:
        self._container.close()
        self._deliveries.close()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        encoded = body if body is None or isinstance(body, bytes) else json.dumps(body)
        request = event(method, path, encoded, headers=headers)
        return Response.of(self._container.handle(request))

    def process_files(self) -> None:
        self._deliveries.until_idle()

    def totals(self) -> dict[str, Any]:
        return totals(self.harness.sql)


class User:
    """A new user, who is signed in."""

    def __init__(self, service: Service, role: str) -> None:
        self.service, self.email = service, new_email()
        if role == "admin":
            admin = {"email": self.email, "password": PASSWORD, "admin_password": "adminpass"}
            assert service.send("POST", "/admin", admin).status == 201
        self._bearer = self.sign_in()
        self.id = self.send("GET", "/users/me").body["id"]

    def sign_in(self) -> str:
        """Open another session, and return its token."""
        body = {"email": self.email, "password": PASSWORD, "token": True}
        return str(self.service.send("POST", "/login", body).body["access_token"])

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Response:
        headers = {"authorization": f"Bearer {self._bearer}"}
        if isinstance(body, bytes):
            headers["content-type"] = FORM
        if key is not None:
            headers["idempotency-key"] = key
        return self.service.send(method, f"{API}{path}", body, **headers)

    def create(self, path: str, body: Any) -> Any:
        response = self.send("POST", path, body)
        assert 200 <= response.status < 300, response
        return response.body


def form(content: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    return head + content + b"\r\n--x--\r\n"


def charged_record(client: User) -> str:
    return str(client.create("/process_operation", {"type": "addition", "arguments": [1, 2]})["record_id"])


def created_task(client: User, **options: Any) -> str:
    return str(client.create("/tasks", {"filename": "a.csv", "size": len(FILE), **options})["id"])


def cancelled_task(client: User) -> str:
    task = created_task(client)
    client.create(f"/tasks/{task}/cancel", None)
    return task


def completed_task(client: User) -> str:
    task = str(client.create("/process_csv", form(FILE))["task_id"])
    client.service.process_files()
    return task


def quoted_task(client: User) -> str:
    task = created_task(client, dry_run=True)
    key = aws.upload_key(UUID(client.id), UUID(task))
    client.service.harness.cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=FILE)
    client.service.process_files()
    return task


def api_key(client: User) -> str:
    return str(client.create("/api_keys", {"name": "a program"})["id"])


def other_session(client: User) -> str:
    client.sign_in()
    sessions = client.send("GET", "/sessions").body["sessions"]
    return str(next(session["id"] for session in sessions if not session["current"]))


def no_price(client: User) -> None:
    client.service.harness.sql("UPDATE operations SET deleted_at = now() WHERE type = 'square_root'")


def price(client: User) -> str:
    """Price the square root at 5 credits, and return the id."""
    no_price(client)
    created = User(client.service, "admin").create("/operations", {"type": "square_root", "cost": 5})
    return str(created["id"])


def manual_record(client: User) -> dict[str, Any]:
    members = {"operation_id": price(client), "user_id": client.id, "operation_response": 3}
    return {**members, "amount": 1, "user_balance": 2}


def webhook(client: User) -> str:
    return str(client.create("/webhooks", WEBHOOK)["id"])


def failed_delivery(client: User) -> str:
    """Return the path of a failed delivery, below `/webhooks/`."""
    id = webhook(client)
    delivery = client.create(f"/webhooks/{id}/test", None)["id"]
    client.service.harness.sql(f"UPDATE webhook_deliveries SET status = 'failed' WHERE id = '{delivery}'")
    return f"{id}/deliveries/{delivery}"


@dataclass(frozen=True)
class Change:
    """A request that changes something, and the step of the traffic that commits it (`statement`)."""

    statement: str
    body: Any = None
    """The body, or a function that returns it for the client."""
    target: Callable[[User], str | None] = lambda client: None
    """Prepares the object in the path, and returns what stands for the path's parameters."""
    retry: int | None = None
    """The status of the same request after the change; None if the route supports `Idempotency-Key`."""
    by_admin: bool = False


CHANGES = {
    "POST /process_operation": Change("charge", {"type": "addition", "arguments": [1, 2]}),
    "POST /process_csv": Change("commit", form(FILE)),
    "POST /tasks": Change("commit", {"filename": "a.csv", "size": 9}),
    "POST /tasks/{task_id}/start": Change("commit", target=quoted_task),
    "POST /tasks/{task_id}/cancel": Change("commit", target=created_task, retry=409),
    "POST /tasks/{task_id}/resume": Change("commit", {"max_spend": 7}, cancelled_task, retry=409),
    "POST /tasks/{task_id}/refund": Change("commit", REASON, completed_task, by_admin=True),
    "POST /records/{id}/refund": Change("commit", REASON, charged_record, by_admin=True),
    "POST /exports": Change("commit", {"resource": "ledger"}),
    "POST /api_keys": Change("commit", {"name": "a program"}, retry=201),
    "DELETE /api_keys/{id}": Change("revoke_api_key", target=api_key, retry=404),
    "DELETE /sessions/{id}": Change("end_session", target=other_session, retry=404),
    "POST /users/me/password": Change(
        "commit", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}, other_session, retry=401
    ),
    "PATCH /users/me": Change("update_account", {"low_balance_threshold": 7}, retry=204),
    "POST /webhooks": Change("commit", WEBHOOK, retry=201),
    "PATCH /webhooks/{id}": Change("update_webhook", {"paused": True}, webhook, retry=200),
    "DELETE /webhooks/{id}": Change("delete_webhook", target=webhook, retry=404),
    "POST /webhooks/{id}/test": Change("test_webhook", target=webhook, retry=202),
    "POST /webhooks/{id}/rotate_secret": Change("rotate_webhook_secret", target=webhook, retry=200),
    "POST /webhooks/{id}/deliveries/{delivery_id}/redeliver": Change(
        "redeliver_webhook", target=failed_delivery, retry=202
    ),
    "POST /users": Change(
        "commit", lambda client: {"email": "new-" + client.email, "password": PASSWORD}, by_admin=True
    ),
    "PATCH /users/{id}": Change("commit", {"balance": 7}, lambda client: client.id, retry=204, by_admin=True),
    "DELETE /users/{id}": Change("commit", target=lambda client: client.id, retry=404, by_admin=True),
    "POST /users/{id}/credits": Change(
        "grant", {"amount": 7, **REASON}, lambda client: client.id, by_admin=True
    ),
    "POST /operations": Change("commit", {"type": "square_root", "cost": 5}, no_price, by_admin=True),
    "PATCH /operations/{id}": Change("update_operation", {"cost": 6}, price, retry=200, by_admin=True),
    "DELETE /operations/{id}": Change("delete_operation", target=price, retry=404, by_admin=True),
    "POST /records": Change("commit", manual_record, by_admin=True),
    "PATCH /records/{id}": Change("update_record", {"amount": 3}, charged_record, retry=204, by_admin=True),
    "DELETE /records/{id}": Change("delete_record", target=charged_record, retry=404, by_admin=True),
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Harness.prepared() as harness:
        service = Service(harness)
        yield service
        service.close()


def test_every_route_that_changes_something_is_tested() -> None:
    declared = {str(route).replace(API, "") for route in SIGNED_IN if route.method != "GET"}
    assert declared == CHANGES.keys()


def change(service: Service, route: str, moment: str | None) -> dict[str, Any]:
    """Send a change, and again if its connection broke. Return the differences of the totals."""
    wanted = CHANGES[route]
    client = User(service, "client")
    method, _, path = re.sub(r"\{.+\}", str(wanted.target(client)), route).partition(" ")
    body = wanted.body(client) if callable(wanted.body) else wanted.body
    caller = User(service, "admin") if wanted.by_admin else client
    key = str(uuid4()) if wanted.retry is None else None
    before = service.totals()
    if moment:
        fault = Fault(wanted.statement, moment, lambda: False)
        service.harness.stage.expect(fault)
        lost = caller.send(method, path, body, key)
        service.harness.stage.expect(None)
        assert (fault.struck, lost.status, lost.body["type"]) == (1, 503, "/problems/service-unavailable")
    response = caller.send(method, path, body, key)
    if moment == AFTER and wanted.retry:
        assert response.status == wanted.retry
    else:
        assert 200 <= response.status < 300, response
        assert response.replayed == (moment == AFTER)
    service.process_files()
    after = service.totals()
    return {name: after[name] - before[name] for name in TOTALS}


@pytest.mark.parametrize("route", CHANGES)
def test_retry_after_a_lost_response_changes_everything_once(service: Service, route: str) -> None:
    undisturbed = change(service, route, None)
    assert any(undisturbed.values())
    assert change(service, route, BEFORE) == undisturbed
    lost = change(service, route, AFTER)
    if route == "POST /api_keys":
        # The retry creates another key, because the secret of the first one cannot be shown again.
        undisturbed["keys"] = 2
    if route == "POST /webhooks":
        undisturbed["webhooks"] = 2  # as above
    if route == "POST /webhooks/{id}/test":
        # Each test is an event of its own.
        undisturbed["events"] = undisturbed["pending deliveries"] = 2
    assert lost == undisturbed
