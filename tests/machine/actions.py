"""What can be asked of the service: each an event for its function, and what the model makes of it.

Whom and what an action means are numbers, of which the cast has the names: so what Hypothesis draws
depends on nothing that happened.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from shared import exact_json
from tests.machine import batch_model
from tests.machine.cast import ADMIN, Cast
from tests.machine.model import BY_HAND, Arguments, Expected, Model, Rows, Steps
from tests.support.lambda_event import event

API = "/api/v1"
PASSWORD = "correct-horse-1!"


@dataclass(frozen=True)
class Request:
    """A request that can be sent.

    `statement` is its step of `tests.support.batch.aws_wire` that moves anything; `steps` are the model's.
    `name` is of the record that it makes, `key` whose idempotency key it has, and `file` of the task whose
    file it puts into the bucket.
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
        """One that is one step."""

        def steps(model: Model) -> Steps:
            yield statement
            return predict(model)

        return cls(statement, event, steps, name, key)


class Action(Protocol):
    """Something to ask; of nothing yet, until it is told of whom and of what."""

    def request(self, cast: Cast) -> Request | None:
        """None where there is nothing that it could be about."""


@dataclass(frozen=True)
class Charge:
    who: int
    operation: str
    arguments: Arguments
    key: str | None

    def with_key(self, other: "Charge | None" = None) -> "Charge":
        """The same with a key, maybe that of another call and of who makes it."""
        of = other or self
        return replace(self, who=of.who, key=of.key or "one")

    def request(self, cast: Cast) -> Request:
        who, name = cast.person(self.who), cast.new("call")
        body = {"type": self.operation, "arguments": self.arguments}
        return Request.of(
            "charge",
            sent(cast, who, "POST", "/process_operation", body, self.key),
            lambda model: model.charge(name, who, self.operation, self.arguments, self.key),
            name,
            (who, self.key) if self.key else None,
        )


@dataclass(frozen=True)
class Grant:
    who: int
    amount: Decimal
    key: str | None

    def request(self, cast: Cast) -> Request:
        who = cast.person(self.who)
        body = {"amount": self.amount, "reason": "the machine"}
        return Request.of(
            "grant",
            sent(cast, ADMIN, "POST", f"/users/{cast.ids[who]}/credits", body, self.key),
            lambda model: model.grant(ADMIN, who, self.amount, self.key),
            key=(ADMIN, self.key) if self.key else None,
        )


@dataclass(frozen=True)
class SetBalance:
    who: int
    balance: Decimal

    def request(self, cast: Cast) -> Request:
        who = cast.person(self.who)
        return Request.of(
            "commit",
            sent(cast, ADMIN, "PATCH", f"/users/{cast.ids[who]}", {"balance": self.balance}),
            lambda model: model.set_balance(who, self.balance),
        )


@dataclass(frozen=True)
class DeleteUser:
    client: int

    def request(self, cast: Cast) -> Request | None:
        who = cast.client(self.client)
        return who and Request.of(
            "commit",
            sent(cast, ADMIN, "DELETE", f"/users/{cast.ids[who]}"),
            lambda model: model.delete_user(who),
        )


@dataclass(frozen=True)
class Price:
    operation: str
    cost: Decimal

    def request(self, cast: Cast) -> Request:
        return Request.of(
            "create_operation",
            sent(cast, ADMIN, "POST", "/operations", {"type": self.operation, "cost": self.cost}),
            lambda model: model.price(self.operation, self.cost),
        )


@dataclass(frozen=True)
class ChangePrice:
    operation: str
    cost: Decimal

    def request(self, cast: Cast) -> Request:
        return Request.of(
            "update_operation",
            sent(cast, ADMIN, "PATCH", f"/operations/{cast.ids[self.operation]}", {"cost": self.cost}),
            lambda model: model.change_price(self.operation, self.cost),
        )


@dataclass(frozen=True)
class Unprice:
    operation: str

    def request(self, cast: Cast) -> Request:
        return Request.of(
            "delete_operation",
            sent(cast, ADMIN, "DELETE", f"/operations/{cast.ids[self.operation]}"),
            lambda model: model.unprice(self.operation),
        )


@dataclass(frozen=True)
class WriteRecord:
    who: int
    operation: str
    amount: Decimal

    def request(self, cast: Cast) -> Request:
        who, name = cast.person(self.who), cast.new("entry")
        body = {
            "user_id": cast.ids[who],
            "operation_id": cast.ids[self.operation],
            "amount": self.amount,
            "user_balance": self.amount,
            "operation_response": BY_HAND,
        }
        return Request.of(
            "create_record",
            sent(cast, ADMIN, "POST", "/records", body),
            lambda model: model.write_record(name, who, self.operation, self.amount, self.amount),
            name,
        )


@dataclass(frozen=True)
class CorrectRecord:
    record: int
    to: int
    amount: Decimal

    def request(self, cast: Cast) -> Request | None:
        record, to = cast.record(self.record), cast.person(self.to)
        body = {"user_id": cast.ids[to], "amount": self.amount}
        return record and Request.of(
            "update_record",
            sent(cast, ADMIN, "PATCH", f"/records/{cast.ids[record]}", body),
            lambda model: model.correct_record(record, to, self.amount),
        )


@dataclass(frozen=True)
class DeleteRecord:
    record: int

    def request(self, cast: Cast) -> Request | None:
        record = cast.record(self.record)
        return record and Request.of(
            "delete_record",
            sent(cast, ADMIN, "DELETE", f"/records/{cast.ids[record]}"),
            lambda model: model.delete_record(record),
        )


@dataclass(frozen=True)
class SignIn:
    """Or up, if nobody living has that e-mail."""

    email: str

    def request(self, cast: Cast) -> Request:
        body = json.dumps({"email": self.email, "password": PASSWORD})
        return Request("sign_up", event("POST", "/login", body), lambda model: model.sign_in(self.email))


@dataclass(frozen=True)
class SendFile:
    """In a form."""

    who: int
    rows: Rows

    def request(self, cast: Cast) -> Request:
        who, name = cast.person(self.who), cast.new("file")
        return Request(
            "create_task",
            sent_file(cast, who, name, as_csv(self.rows)),
            lambda model: batch_model.send_file(model, name, who, self.rows),
            file=name,
        )


@dataclass(frozen=True)
class BeginUpload:
    """A task, whose file comes later."""

    who: int
    rows: Rows

    def request(self, cast: Cast) -> Request:
        who, name = cast.person(self.who), cast.new("file")
        return Request.of(
            "create_task",
            sent(cast, who, "POST", "/tasks", {"filename": name, "size": len(as_csv(self.rows))}),
            lambda model: batch_model.begin_upload(model, name, who, self.rows),
        )


@dataclass(frozen=True)
class Cancel:
    """By its owner if by nobody else; of those that it can be done to, if there are any."""

    task: int
    by: int | None

    def request(self, cast: Cast) -> Request | None:
        task = cast.task(self.task, batch_model.GOING_ON)
        if task is None:
            return None
        by = cast.model.tasks[task].owner if self.by is None else cast.person(self.by)
        return Request.of(
            "cancel_task",
            sent(cast, by, "POST", f"/tasks/{cast.ids[task]}/cancel"),
            lambda model: batch_model.cancel(model, model.tasks[task], by),
        )


@dataclass(frozen=True)
class StopNow:
    """A task of which it is known that it goes on; by its owner."""

    task: str

    def request(self, cast: Cast) -> Request:
        by = cast.model.tasks[self.task].owner
        return Request.of(
            "cancel_task",
            sent(cast, by, "POST", f"/tasks/{cast.ids[self.task]}/cancel"),
            lambda model: batch_model.cancel(model, model.tasks[self.task], by),
        )


@dataclass(frozen=True)
class Resume:
    """By its owner if by nobody else; of those that it can be done to, if there are any."""

    task: int
    by: int | None

    def request(self, cast: Cast) -> Request | None:
        task = cast.task(self.task, batch_model.STOPPED)
        if task is None:
            return None
        by = cast.model.tasks[task].owner if self.by is None else cast.person(self.by)
        return Request.of(
            "commit",
            sent(cast, by, "POST", f"/tasks/{cast.ids[task]}/resume"),
            lambda model: batch_model.resume(model, model.tasks[task], by),
        )


def sent(
    cast: Cast, who: str | None, method: str, path: str, body: Any = None, key: str | None = None
) -> dict[str, Any]:
    """The event of somebody's request."""
    path, _, query = path.partition("?")
    headers = {"authorization": f"Bearer {cast.tokens[cast.ids[who]]}"} if who else {}
    if key is not None:
        headers["idempotency-key"] = key
    text = None if body is None else exact_json.dumps(body)
    return event(method, f"{API}{path}", text, headers=headers, query=query)


def as_csv(rows: Rows) -> bytes:
    lines = [f'{operation},"[{", ".join(map(str, arguments))}]"\n' for operation, arguments in rows]
    return "".join(["operation,arguments\n", *lines]).encode()


def sent_file(cast: Cast, who: str, name: str, content: bytes) -> dict[str, Any]:
    """The event of somebody's upload in a form."""
    body = b"".join(
        [
            f'--machine\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode(),
            b"Content-Type: text/csv\r\n\r\n",
            content,
            b"\r\n--machine--\r\n",
        ]
    )
    headers = {
        "authorization": f"Bearer {cast.tokens[cast.ids[who]]}",
        "content-type": "multipart/form-data; boundary=machine",
    }
    return event("POST", f"{API}/process_csv", body, headers=headers)
