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
    ADMIN,
    EXPORT,
    GRANT,
    MANUAL,
    NOT_SIGNED_IN,
    PASSWORD,
    REASON,
    REFUND_RECORD,
    REFUND_TASK,
    Arguments,
    Caller,
    Expected,
    Model,
    Rows,
    Steps,
)
from tests.machine.registry import Registry
from tests.support.lambda_event import event

API = "/api/v1"
WRONG_PASSWORD = "wrong-horse-2!"
EXPORTED = {
    "records": ("user_id", "operation", "amount", "user_balance"),
    "ledger": ("user_id", "kind", "amount", "balance_after"),
}
"""The exported fields of each list, in the order of the model's rows."""
ENDED = ("completed", "out_of_credit", "failed", "cancelled")


@dataclass(frozen=True)
class Request:
    """A request to the service, with the model's `steps` for it.

    `statement` names the step of the traffic (see `tests.support.batch.proxies`) that changes state.
    `name` names the record or export that the request creates, `key` is the user and the idempotency key,
    and `file` names the task whose file the request uploads.
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

    @classmethod
    def by(
        cls,
        caller: Caller,
        statement: str,
        event: Mapping[str, Any],
        predict: Callable[[Model], Expected],
        name: str | None = None,
        key: tuple[str, str] | None = None,
    ) -> "Request":
        """Build a request that is one step of the model, after the lookup of its caller."""
        request = cls.of(statement, event, predict, name, key)
        return replace(request, steps=looked_up(caller, request.steps))


def looked_up(caller: Caller, steps: Callable[[Model], Steps]) -> Callable[[Model], Steps]:
    """Return the steps of a request whose caller is looked up by a statement before the change."""

    def both(model: Model) -> Steps:
        yield "caller"
        if not model.may_call(caller):
            return NOT_SIGNED_IN
        return (yield from steps(model))

    return both


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
        caller, name = registry.caller(registry.user(self.who), self.by_key), registry.new("call")
        body = {"type": self.operation, "arguments": self.arguments}
        return Request.of(
            "charge" if caller.session else "charge_by_key",
            request_event(registry, caller, "POST", "/process_operation", body, self.key),
            lambda model: model.charge(name, caller, self.operation, self.arguments, self.key),
            name,
            (caller.name, self.key) if self.key else None,
        )


@dataclass(frozen=True)
class Grant:
    who: int
    amount: Decimal
    key: str | None

    def request(self, registry: Registry) -> Request:
        who = registry.user(self.who)
        body = {"amount": self.amount, "reason": REASON}
        return Request.of(
            "grant",
            admin_event(registry, "POST", f"/users/{registry.ids[who]}/credits", body, self.key),
            lambda model: model.grant(who, self.amount, self.key),
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
            admin_event(registry, "PATCH", f"/users/{registry.ids[who]}", {"balance": self.balance}),
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
            admin_event(registry, "PATCH", f"/users/{registry.ids[who]}", {"status": self.status}),
            lambda model: model.set_status(who, self.status, ADMIN),
        )


@dataclass(frozen=True)
class DeleteUser:
    client: int

    def request(self, registry: Registry) -> Request | None:
        who = registry.client(self.client)
        return who and Request.of(
            "commit",
            admin_event(registry, "DELETE", f"/users/{registry.ids[who]}"),
            lambda model: model.delete_user(who),
        )


@dataclass(frozen=True)
class Price:
    operation: str
    cost: Decimal

    def request(self, registry: Registry) -> Request:
        return Request.of(
            "create_operation",
            admin_event(registry, "POST", "/operations", {"type": self.operation, "cost": self.cost}),
            lambda model: model.price(self.operation, self.cost),
        )


@dataclass(frozen=True)
class ChangePrice:
    operation: str
    cost: Decimal

    def request(self, registry: Registry) -> Request:
        return Request.of(
            "update_operation",
            admin_event(
                registry,
                "PATCH",
                f"/operations/{registry.ids[self.operation]}",
                {"cost": self.cost},
            ),
            lambda model: model.change_price(self.operation, self.cost),
        )


@dataclass(frozen=True)
class RemovePrice:
    operation: str

    def request(self, registry: Registry) -> Request:
        return Request.of(
            "delete_operation",
            admin_event(registry, "DELETE", f"/operations/{registry.ids[self.operation]}"),
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
            admin_event(registry, "POST", "/records", body),
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
            admin_event(registry, "PATCH", f"/records/{registry.ids[record]}", body),
            lambda model: model.correct_record(record, to, self.amount),
        )


@dataclass(frozen=True)
class DeleteRecord:
    record: int

    def request(self, registry: Registry) -> Request | None:
        record = registry.record(self.record)
        return record and Request.of(
            "delete_record",
            admin_event(registry, "DELETE", f"/records/{registry.ids[record]}"),
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
            lambda model: model.refund_record(record, self.key),
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
            lambda model: model.refund_task(task, self.key),
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
        admin_event(registry, "POST", path, {"reason": REASON}, key),
        predict,
        key=(ADMIN, f"{route} {key}") if key else None,
    )


@dataclass(frozen=True)
class SignIn:
    """Sign in, or sign up if no user has that e-mail."""

    email: str
    wrong: bool = False
    """Whether the password is another one than the user's."""

    def request(self, registry: Registry) -> Request:
        who = registry.model.living_user(self.email)
        password = WRONG_PASSWORD if self.wrong else registry.model.users[who].password if who else PASSWORD
        body = json.dumps({"email": self.email, "password": password})
        return Request(
            "sign_up", event("POST", "/login", body), lambda model: model.sign_in(self.email, password)
        )


@dataclass(frozen=True)
class ChangePassword:
    """Change a client's password in one of their sessions, which may have ended."""

    client: int
    session: int
    wrong: bool = False
    """Whether the current password is wrong."""

    def request(self, registry: Registry) -> Request | None:
        who = registry.client(self.client)
        if who is None:
            return None
        caller, new = registry.caller(who, session=self.session), registry.new("password!")
        current = WRONG_PASSWORD if self.wrong else registry.model.users[who].password
        body = {"current_password": current, "new_password": new}
        return Request(
            "commit",
            request_event(registry, caller, "POST", "/users/me/password", body),
            looked_up(caller, lambda model: model.change_password(caller, current, new)),
        )


@dataclass(frozen=True)
class EndSession:
    """End one of a client's sessions in another one or in itself. Both may have ended."""

    client: int
    session: int
    ended: int

    def request(self, registry: Registry) -> Request | None:
        who = registry.client(self.client)
        if who is None:
            return None
        caller, ended = (registry.caller(who, session=it) for it in (self.session, self.ended))
        assert ended.session
        return Request.by(
            caller,
            "end_session",
            request_event(registry, caller, "DELETE", f"/sessions/{registry.ids[ended.session]}"),
            lambda model: model.end_session(caller, ended.session or ""),
        )


@dataclass(frozen=True)
class CreateExport:
    who: int
    resource: str
    format: str
    key: str | None
    by_key: bool = False

    def request(self, registry: Registry) -> Request:
        caller, name = registry.caller(registry.user(self.who), self.by_key), registry.new("export")
        body = {"resource": self.resource, "format": self.format, "fields": EXPORTED[self.resource]}
        return Request.by(
            caller,
            "commit" if self.key else "create_export",
            request_event(registry, caller, "POST", "/exports", body, self.key),
            lambda model: model.create_export(name, caller, self.resource, self.format, self.key),
            name,
            (caller.name, f"{EXPORT} {self.key}") if self.key else None,
        )


@dataclass(frozen=True)
class SendFile:
    """Upload a file in a form."""

    who: int
    rows: Rows
    by_key: bool = False

    def request(self, registry: Registry) -> Request:
        caller, name = registry.caller(registry.user(self.who), self.by_key), registry.new("file")
        return Request(
            "create_task",
            upload_event(registry, caller, name, as_csv(self.rows)),
            looked_up(caller, lambda model: batch_model.send_file(model, name, caller, self.rows)),
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
        caller, name = registry.caller(registry.user(self.who)), registry.new("file")
        body = {"filename": name, "size": len(as_csv(self.rows)), "dry_run": self.dry_run}
        if self.max_spend is not None:
            body["max_spend"] = self.max_spend
        return Request.by(
            caller,
            "create_task",
            request_event(registry, caller, "POST", "/tasks", body),
            lambda model: batch_model.begin_upload(
                model, name, caller, self.rows, self.dry_run, self.max_spend
            ),
        )


@dataclass(frozen=True)
class Start:
    """Start a quoted task as user `by`, by default its owner. Prefers tasks that are quoted."""

    task: int
    by: int | None

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, ("quoted",))
        return task and _change_task(registry, "start", task, _by(registry, task, self.by), batch_model.start)


@dataclass(frozen=True)
class Cancel:
    """Cancel a task as user `by`, by default its owner. Prefers tasks that can be cancelled."""

    task: int
    by: int | None

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, batch_model.UNFINISHED)
        return task and _change_task(
            registry, "cancel", task, _by(registry, task, self.by), batch_model.cancel
        )


@dataclass(frozen=True)
class StopNow:
    """Cancel a given unfinished task as its owner."""

    task: str

    def request(self, registry: Registry) -> Request:
        return _change_task(registry, "cancel", self.task, _by(registry, self.task, None), batch_model.cancel)


@dataclass(frozen=True)
class Resume:
    """Resume a task as user `by`, by default its owner. Prefers tasks that can be resumed."""

    task: int
    by: int | None
    by_key: bool = False
    """Whether the owner, as the default of `by`, sends the API key, if there is one."""
    max_spend: tuple[Decimal | None, ...] = ()
    """The new limit, None to remove it; empty to leave it."""

    def request(self, registry: Registry) -> Request | None:
        task = registry.task(self.task, batch_model.STOPPED)
        return task and _change_task(
            registry,
            "resume",
            task,
            _by(registry, task, self.by, self.by_key and self.by is None),
            lambda model, name, caller: batch_model.resume(model, name, caller, self.max_spend),
            {"max_spend": self.max_spend[0]} if self.max_spend else None,
        )


def _by(registry: Registry, task: str, by: int | None, by_key: bool = False) -> Caller:
    """Return user `by`, or else the owner of the task."""
    who = registry.model.tasks[task].owner if by is None else registry.user(by)
    return registry.caller(who, by_key)


def _change_task(
    registry: Registry,
    change: str,
    task: str,
    caller: Caller,
    predict: Callable[[Model, str, Caller], Expected],
    body: Any = None,
) -> Request:
    return Request.by(
        caller,
        "commit",
        request_event(registry, caller, "POST", f"/tasks/{registry.ids[task]}/{change}", body),
        lambda model: predict(model, task, caller),
    )


def request_event(
    registry: Registry,
    caller: Caller,
    method: str,
    path: str,
    body: Any = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Return the event of a caller's request."""
    path, _, query = path.partition("?")
    headers = {"authorization": f"Bearer {registry.bearer(caller)}"}
    if key is not None:
        headers["idempotency-key"] = key
    text = None if body is None else exact_json.dumps(body)
    return event(method, f"{API}{path}", text, headers=headers, query=query)


def admin_event(
    registry: Registry, method: str, path: str, body: Any = None, key: str | None = None
) -> dict[str, Any]:
    """Return the event of the admin's request."""
    return request_event(registry, registry.caller(ADMIN), method, path, body, key)


def as_csv(rows: Rows) -> bytes:
    lines = [f'{operation},"[{", ".join(map(str, arguments))}]"\n' for operation, arguments in rows]
    return "".join(["operation,arguments\n", *lines]).encode()


def upload_event(registry: Registry, caller: Caller, name: str, content: bytes) -> dict[str, Any]:
    """Return the event of a caller's upload in a form."""
    body = b"".join(
        [
            f'--machine\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode(),
            b"Content-Type: text/csv\r\n\r\n",
            content,
            b"\r\n--machine--\r\n",
        ]
    )
    headers = {
        "authorization": f"Bearer {registry.bearer(caller)}",
        "content-type": "multipart/form-data; boundary=machine",
    }
    return event("POST", f"{API}/process_csv", body, headers=headers)
