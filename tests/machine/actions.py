"""The actions of the machine. Each builds the event of a request and the matching steps of the model.

An action refers to users, tasks and records by number, and the registry resolves the numbers. So what
Hypothesis draws does not depend on earlier results.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from shared import exact_json
from tests.machine import batch_model
from tests.machine.model import (
    GRANT,
    MANUAL,
    REFUND_RECORD,
    REFUND_TASK,
    Arguments,
    Expected,
    Model,
    Rows,
    Steps,
)
from tests.machine.registry import ADMIN, Registry
from tests.support.lambda_event import event

API = "/api/v1"
PASSWORD = "correct-horse-1!"
ENDED = ("completed", "out_of_credit", "failed", "cancelled")


@dataclass(frozen=True)
class Request:
    """A request to the service, with the model's `steps` for it.

    `statement` names the step of the traffic (see `tests.support.batch.proxies`) that changes state.
    `name` names the record that the request creates, `key` is the user and the idempotency key, and `file`
    names the task whose file the request uploads.
    """

    statement: str
    event: Mapping[str, Any]
    steps: Callable[[Model], Steps]
    name: str | None = None
    key: tuple[str, str] | None = None
    file: str | None = None

    @classmethod
    def of(
        cls,
        statement: str,
        event: Mapping[str, Any],
        predict: Callable[[Model], Expected],
        name: str | None = None,
        key: tuple[str, str] | None = None,
    ) -> "Request":
        """Build a request that is one step of the model."""

        def steps(model: Model) -> Steps:
            yield statement
            return predict(model)

        return cls(statement, event, steps, name, key)


class Action(Protocol):
    """An action. It becomes a request when the registry resolves its numbers."""

    def request(self, registry: Registry) -> Request | None:
        """Return the request, or None if no object exists that the action applies to."""


@dataclass(frozen=True)
class Charge:
    who: int
    operation: str
    arguments: Arguments
    key: str | None
    by_key: bool = False
    """Whether to send the user's API key, if there is one, instead of the access token."""

    def with_key(self, other: "Charge | None" = None) -> "Charge":
        """Return a copy with an idempotency key: its own, or the user and key of another call."""
        of = other or self
        return replace(self, who=of.who, key=of.key or "one")

    def request(self, registry: Registry) -> Request:
        who, name = registry.user(self.who), registry.new("call")
        by_key = self.by_key and who in registry.secrets
        body = {"type": self.operation, "arguments": self.arguments}
        return Request.of(
            "charge_by_key" if by_key else "charge",
            request_event(registry, who, "POST", "/process_operation", body, self.key, by_key),
            lambda model: model.charge(name, who, self.operation, self.arguments, self.key, by_key),
            name,
            (who, self.key) if self.key else None,
        )


@dataclass(frozen=True)
class Grant:
    who: int
    amount: Decimal
    key: str | None

    def request(self, registry: Registry) -> Request:
        who = registry.user(self.who)
        body = {"amount": self.amount, "reason": "the machine"}
        return Request.of(
            "grant",
            request_event(registry, ADMIN, "POST", f"/users/{registry.ids[who]}/credits", body, self.key),
            lambda model: model.grant(ADMIN, who, self.amount, self.key),
            key=(ADMIN, f"{GRANT} {self.key}") if self.key else None,
        )


@dataclass(frozen=True)
class SetBalance:
    who: int
    balance: Decimal

    def request(self, registry: Registry) -> Request:
        who = registry.user(self.who)
        return Request.of(
            "commit",
            request_event(registry, ADMIN, "PATCH", f"/users/{registry.ids[who]}", {"balance": self.balance}),
            lambda model: model.set_balance(who, self.balance),
        )


@dataclass(frozen=True)
class SetStatus:
    """Activate or deactivate a user. Rejected for the admin who sends it."""

    who: int
    status: str

    def request(self, registry: Registry) -> Request:
        who = registry.user(self.who)
        return Request(
            "commit",
            request_event(registry, ADMIN, "PATCH", f"/users/{registry.ids[who]}", {"status": self.status}),
            lambda model: model.set_status(who, self.status, ADMIN),
        )


@dataclass(frozen=True)
class DeleteUser:
    client: int

    def request(self, registry: Registry) -> Request | None:
        who = registry.client(self.client)
        return who and Request.of(
            "commit",
            request_event(registry, ADMIN, "DELETE", f"/users/{registry.ids[who]}"),
            lambda model: model.delete_user(who),
        )


@dataclass(frozen=True)
class Price:
    operation: str
    cost: Decimal

    def request(self, registry: Registry) -> Request:
        return Request.of(
            "create_operation",
            request_event(
                registry, ADMIN, "POST", "/operations", {"type": self.operation, "cost": self.cost}
            ),
            lambda model: model.price(self.operation, self.cost),
        )


@dataclass(frozen=True)
class ChangePrice:
    operation: str
    cost: Decimal

    def request(self, registry: Registry) -> Request:
        return Request.of(
            "update_operation",
            request_event(
                registry, ADMIN, "PATCH", f"/operations/{registry.ids[self.operation]}", {"cost": self.cost}
            ),
            lambda model: model.change_price(self.operation, self.cost),
        )


@dataclass(frozen=True)
class RemovePrice:
    operation: str

    def request(self, registry: Registry) -> Request:
        return Request.of(
            "delete_operation",
            request_event(registry, ADMIN, "DELETE", f"/operations/{registry.ids[self.operation]}"),
            lambda model: model.remove_price(self.operation),
        )


@dataclass(frozen=True)
class WriteRecord:
    who: int
    operation: str
    amount: Decimal

    def request(self, registry: Registry) -> Request:
        who, name = registry.user(self.who), registry.new("entry")
        body = {
            "user_id": registry.ids[who],
            "operation_id": registry.ids[self.operation],
            "amount": self.amount,
            "user_balance": self.amount,
            "operation_response": MANUAL,
        }
        return Request.of(
            "create_record",
            request_event(registry, ADMIN, "POST", "/records", body),
            lambda model: model.write_record(name, who, self.operation, self.amount, self.amount),
            name,
        )


@dataclass(frozen=True)
class CorrectRecord:
    record: int
    to: int
    amount: Decimal

    def request(self, registry: Registry) -> Request | None:
        record, to = registry.record(self.record), registry.user(self.to)
        body = {"user_id": registry.ids[to], "amount": self.amount}
        return record and Request.of(
            "update_record",
            request_event(registry, ADMIN, "PATCH", f"/records/{registry.ids[record]}", body),
            lambda model: model.correct_record(record, to, self.amount),
        )


@dataclass(frozen=True)
class DeleteRecord:
    record: int

    def request(self, registry: Registry) -> Request | None:
        record = registry.record(self.record)
        return record and Request.of(
            "delete_record",
            request_event(registry, ADMIN, "DELETE", f"/records/{registry.ids[record]}"),
            lambda model: model.delete_record(record),
        )


@dataclass(frozen=True)
class RefundRecord:
    record: int
    key: str | None

    def request(self, registry: Registry) -> Request | None:
        record = registry.record(self.record)
        return record and _refund(
            registry,
            "refund_record",
            (REFUND_RECORD, registry.ids[record]),
            self.key,
            lambda model: model.refund_record(ADMIN, record, self.key),
        )


@dataclass(frozen=True)
class RefundTask:
    """Refund a task. Prefers tasks that have ended."""

    task: int
    key: str | None

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, ENDED)
        return task and _refund(
            registry,
            "refund_task",
            (REFUND_TASK, registry.ids[task]),
            self.key,
            lambda model: model.refund_task(ADMIN, task, self.key),
        )


def _refund(
    registry: Registry,
    statement: str,
    target: tuple[str, str],
    key: str | None,
    predict: Callable[[Model], Expected],
) -> Request:
    """Build a refund. With a key, it is a transaction of several statements."""
    route, service_id = target
    path = re.sub(r"\{\w+\}", service_id, route.removeprefix(f"POST {API}"))
    return Request.of(
        "commit" if key else statement,
        request_event(registry, ADMIN, "POST", path, {"reason": "the machine"}, key),
        predict,
        key=(ADMIN, f"{route} {key}") if key else None,
    )


@dataclass(frozen=True)
class SignIn:
    """Sign in, or sign up if no user has that e-mail."""

    email: str

    def request(self, registry: Registry) -> Request:
        body = json.dumps({"email": self.email, "password": PASSWORD})
        return Request("sign_up", event("POST", "/login", body), lambda model: model.sign_in(self.email))


@dataclass(frozen=True)
class SendFile:
    """Upload a file in a form."""

    who: int
    rows: Rows
    by_key: bool = False

    def request(self, registry: Registry) -> Request:
        who, name = registry.user(self.who), registry.new("file")
        by_key = self.by_key and who in registry.secrets
        return Request(
            "create_task",
            upload_event(registry, who, name, as_csv(self.rows), by_key),
            lambda model: batch_model.send_file(model, name, who, self.rows, by_key),
            file=name,
        )


@dataclass(frozen=True)
class BeginUpload:
    """Create a task whose file is uploaded later."""

    who: int
    rows: Rows
    dry_run: bool = False
    max_spend: Decimal | None = None

    def request(self, registry: Registry) -> Request:
        who, name = registry.user(self.who), registry.new("file")
        body = {"filename": name, "size": len(as_csv(self.rows)), "dry_run": self.dry_run}
        if self.max_spend is not None:
            body["max_spend"] = self.max_spend
        return Request.of(
            "create_task",
            request_event(registry, who, "POST", "/tasks", body),
            lambda model: batch_model.begin_upload(model, name, who, self.rows, self.dry_run, self.max_spend),
        )


@dataclass(frozen=True)
class Start:
    """Start a quoted task as user `by`, by default its owner. Prefers tasks that are quoted."""

    task: int
    by: int | None

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, ("quoted",))
        if task is None:
            return None
        by = registry.model.tasks[task].owner if self.by is None else registry.user(self.by)
        return Request.of(
            "commit",
            request_event(registry, by, "POST", f"/tasks/{registry.ids[task]}/start"),
            lambda model: batch_model.start(model, model.tasks[task], by),
        )


@dataclass(frozen=True)
class Cancel:
    """Cancel a task as user `by`, by default its owner. Prefers tasks that can be cancelled."""

    task: int
    by: int | None

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, batch_model.UNFINISHED)
        if task is None:
            return None
        by = registry.model.tasks[task].owner if self.by is None else registry.user(self.by)
        return Request.of(
            "commit",
            request_event(registry, by, "POST", f"/tasks/{registry.ids[task]}/cancel"),
            lambda model: batch_model.cancel(model, model.tasks[task], by),
        )


@dataclass(frozen=True)
class StopNow:
    """Cancel a given unfinished task as its owner."""

    task: str

    def request(self, registry: Registry) -> Request:
        by = registry.model.tasks[self.task].owner
        return Request.of(
            "commit",
            request_event(registry, by, "POST", f"/tasks/{registry.ids[self.task]}/cancel"),
            lambda model: batch_model.cancel(model, model.tasks[self.task], by),
        )


@dataclass(frozen=True)
class Resume:
    """Resume a task as user `by`, by default its owner. Prefers tasks that can be resumed."""

    task: int
    by: int | None
    by_key: bool = False
    """Whether the owner, as the default of `by`, sends the API key, if there is one."""

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, batch_model.STOPPED)
        if task is None:
            return None
        by = registry.model.tasks[task].owner if self.by is None else registry.user(self.by)
        by_key = self.by_key and self.by is None and by in registry.secrets
        return Request.of(
            "commit",
            request_event(registry, by, "POST", f"/tasks/{registry.ids[task]}/resume", by_key=by_key),
            lambda model: batch_model.resume(model, model.tasks[task], by, by_key),
        )


def request_event(
    registry: Registry,
    who: str | None,
    method: str,
    path: str,
    body: Any = None,
    key: str | None = None,
    by_key: bool = False,
) -> dict[str, Any]:
    """Return the event of a user's request."""
    path, _, query = path.partition("?")
    headers = {"authorization": f"Bearer {registry.bearer(who, by_key)}"} if who else {}
    if key is not None:
        headers["idempotency-key"] = key
    text = None if body is None else exact_json.dumps(body)
    return event(method, f"{API}{path}", text, headers=headers, query=query)


def as_csv(rows: Rows) -> bytes:
    lines = [f'{operation},"[{", ".join(map(str, arguments))}]"\n' for operation, arguments in rows]
    return "".join(["operation,arguments\n", *lines]).encode()


def upload_event(
    registry: Registry, who: str, name: str, content: bytes, by_key: bool = False
) -> dict[str, Any]:
    """Return the event of a user's upload in a form."""
    body = b"".join(
        [
            f'--machine\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode(),
            b"Content-Type: text/csv\r\n\r\n",
            content,
            b"\r\n--machine--\r\n",
        ]
    )
    headers = {
        "authorization": f"Bearer {registry.bearer(who, by_key)}",
        "content-type": "multipart/form-data; boundary=machine",
    }
    return event("POST", f"{API}/process_csv", body, headers=headers)
