"""A model of the service in plain Python: balances, prices, records and idempotency keys.

The model identifies users, records and tasks by name; the service identifies them by id. The model
predicts the status of a response and the amounts in its body.
"""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from typing import Any

from tests.machine.outbox import THRESHOLD

PASSWORD = "correct-horse-1!"
"""The password of new users."""
OPENING = {"client": Decimal(20), "admin": Decimal(100)}
ARGUMENTS = {
    "addition": (2, 100),
    "substraction": (2, 100),
    "multiplication": (2, 2),
    "division": (2, 2),
    "square_root": (1, 1),
    "random_string": (0, 2),
}
"""Minimum and maximum number of arguments of each operation."""
ALIASES = {"subtraction": "substraction"}
GRANT = "POST /api/v1/users/{id}/credits"
REFUND_RECORD = "POST /api/v1/records/{id}/refund"
REFUND_TASK = "POST /api/v1/tasks/{task_id}/refund"
EXPORT = "POST /api/v1/exports"
REASON = "the machine"
"""The reason of each grant and refund."""
ADMIN = "admin@example.com 1"
MANUAL = "by hand"
"""The result of a record that an admin created."""
UNFINISHED = ("awaiting_upload", "queued", "processing")
"""The statuses of a task that has not ended."""
ANY_STRING = "any string"
"""Stands for a random result, which the model cannot predict."""

Arguments = tuple[Decimal, ...]
Rows = tuple[tuple[str, Arguments], ...]
"""The rows of a file: operation and arguments."""
Computed = float | str | None
Result = tuple[int, str, Arguments, Computed, Decimal | None, Decimal | None, bool]
"""A row of the result file: number, operation, arguments, result, amount, balance, and whether the row
has an error. With an error, result, amount and balance are empty."""

ExportedRow = tuple[str, str, Decimal, Decimal]
"""A row of an export: the user, the operation or the kind of entry, the amount, and the balance."""
AuditedChange = tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None]
"""An entry of the audit log: the admin, the action, and the changed members before and after."""


@dataclass(frozen=True)
class Expected:
    """A predicted response: status, members of the body, slug of the problem, and whether it is a replay."""

    status: int
    members: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    replayed: bool = False


@dataclass(frozen=True)
class Caller:
    """The sender of a request: a user, and their session or, if that is None, their API key."""

    name: str
    session: str | None


Steps = Generator[str, None, Expected | None]
"""Yields the name of each step. The model executes the step when the generator is resumed."""

WRONG_CREDENTIALS = Expected(401, problem="wrong-credentials")
NOT_SIGNED_IN = Expected(401, problem="not-signed-in")
ACCOUNT_INACTIVE = Expected(403, problem="account-inactive")
NOT_FOUND = Expected(404, problem="not-found")
CONFLICT = Expected(409, problem="conflict")
INVALID = Expected(422, problem="invalid-input")
KEY_REUSED = Expected(422, problem="idempotency-key-reused")


@dataclass
class User:
    """A user and their ledger. Each entry: kind, amount, balance after it."""

    email: str
    role: str
    balance: Decimal = Decimal(0)
    deleted: bool = False
    active: bool = True
    password: str = PASSWORD
    sessions: dict[str, bool] = field(default_factory=dict)
    """Whether each session is valid, in the order in which they began."""
    ledger: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)

    def end_sessions(self, but: str | None = None) -> None:
        self.sessions = {name: valid and name == but for name, valid in self.sessions.items()}

    def move(self, kind: str, amount: Decimal) -> None:
        self.balance += amount
        self.ledger.append((kind, amount, self.balance))


@dataclass
class ApiKey:
    """A user's API key, with a spending limit in total."""

    limit: Decimal
    spent: Decimal = Decimal(0)


@dataclass
class Record:
    """The record of a charged call, of a charged row, or one that an admin created. Admins can change it.

    `paid` is what it was charged: the user, the operation and the amount. It does not change.
    """

    owner: str
    operation: str
    arguments: Arguments | None
    result: Computed
    amount: Decimal
    balance: Decimal
    task: str | None = None
    row: int | None = None
    deleted: bool = False
    paid: tuple[str, str, Decimal] | None = None
    refunded: bool = False


@dataclass
class Export:
    """A file with the rows of a list, for a user.

    `owner` limits the rows; None for those of all users. `rows` is what the last worker wrote.
    """

    who: str
    owner: str | None
    resource: str
    status: str = "queued"
    rows_done: int = 0
    rows: Counter[ExportedRow] | None = None


@dataclass
class Task:
    """An uploaded file: its rows, the number of rows done, and its results after they are published."""

    owner: str
    rows: Rows
    status: str
    by_key: bool = False
    """Whether the owner's API key created or last resumed the task, so that its spending limit applies."""
    stored: bool = False
    begun: bool = False
    """Whether a worker has ever started the task."""
    has_worker: bool = False
    """Whether a worker runs the task or writes its results, or died with it."""
    ends: int = 0
    """The number of times that the task has ended."""
    done: int = 0
    refused: dict[int, tuple[str, Arguments]] = field(default_factory=dict)
    """Operation and arguments of each rejected row, by row number."""
    spent: Decimal = Decimal(0)
    operations: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    """The charged rows and their price less refunds, by operation."""
    returned: Decimal = Decimal(0)
    """The sum of the refunds."""
    refunded: bool = False
    max_spend: Decimal | None = None
    dry_run: bool = False
    cost: Decimal | None = None
    """The price that a dry run has found so far; None without a dry run."""
    results: list[Result] | None = None

    def end(self, status: str) -> None:
        self.status, self.has_worker, self.ends = status, False, self.ends + 1


class Model:
    """The state of the service."""

    def __init__(self) -> None:
        self.users = dict[str, User]()
        self.prices = dict[str, Decimal]()
        self.records = dict[str, Record]()
        self.tasks = dict[str, Task]()
        self.keys = dict[tuple[str, str], tuple[Any, Expected]]()
        """The request and the response of each (user, idempotency key)."""
        self.api_keys = dict[str, ApiKey]()
        """The API key of each user who has one."""
        self.usage = dict[tuple[str, str], tuple[int, int, Decimal]]()
        """The calls, the rows of files and the credits spent of each (user, operation)."""
        self.exports = dict[str, Export]()
        self.audit_log = dict[tuple[str, str], list[AuditedChange]]()
        """The history of each resource and name."""

    def may_call(self, caller: Caller) -> bool:
        """Return whether a caller's session or API key is valid."""
        user = self.users[caller.name]
        return user.active and not user.deleted and (caller.session is None or user.sessions[caller.session])

    def audit(
        self,
        action: str,
        resource: tuple[str, str],
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        admin: str = ADMIN,
    ) -> None:
        """Add an entry to the audit log: all members of a created or deleted object, or the changed ones."""
        if before is not None and after is not None:
            before, after = _changed(before, after), _changed(after, before)
        self.audit_log.setdefault(resource, []).append((admin, action, before, after))

    def count_usage(self, who: str, operation: str, spent: Decimal, *, calls: int = 0, rows: int = 0) -> None:
        before = self.usage.get((who, operation), (0, 0, Decimal(0)))
        self.usage[who, operation] = before[0] + calls, before[1] + rows, before[2] + spent

    def usage_of(self, who: str | None) -> dict[str, tuple[int | Decimal, ...]]:
        """Return the calls, rows and credits spent by operation: of a user, or of all users."""
        found: dict[str, tuple[int | Decimal, ...]] = {}
        for (user, operation), sums in self.usage.items():
            if who in (None, user):
                found[operation] = tuple(map(sum, zip(found.get(operation, (0, 0, 0)), sums, strict=True)))
        return found

    def living_user(self, email: str) -> str | None:
        """Return the name of the user with this e-mail who is not deleted, or None."""
        return next((name for name, u in self.users.items() if u.email == email and not u.deleted), None)

    def add_user(self, email: str, role: str, password: str = PASSWORD) -> str:
        """Add a user. Their name is the e-mail and the number of users that have had it so far."""
        name = f"{email} {1 + sum(user.email == email for user in self.users.values())}"
        self.users[name] = User(email, role, password=password)
        self.users[name].move("opening", OPENING[role])
        return name

    def add_admin(self, email: str) -> None:
        """Add an admin, who is in the audit log as the author of their own account."""
        name = self.add_user(email, "admin")
        self.audit("create", ("user", name), None, _user_members(self.users[name]), admin=name)

    def sign_in(self, email: str, password: str) -> Steps:
        """Sign in, or sign up if no user has that e-mail."""
        yield "sign_in_attempt"
        found = self.living_user(email)
        if found and self.users[found].password != password:
            return WRONG_CREDENTIALS
        yield "sign_up"
        if found and self.users[found].deleted:
            return WRONG_CREDENTIALS
        who = self.living_user(email) or self.add_user(email, "client", password)
        user = self.users[who]
        if user.password != password:
            return WRONG_CREDENTIALS
        if not user.active:
            return ACCOUNT_INACTIVE
        user.sessions[f"{who} session {len(user.sessions) + 1}"] = True
        return Expected(200)

    def change_password(self, caller: Caller, current: str, new: str) -> Steps:
        user = self.users[caller.name]
        for step in ("password_attempt", "commit"):
            yield step
            if not self.may_call(caller):
                return NOT_SIGNED_IN
            if user.password != current:
                return WRONG_CREDENTIALS
        user.password = new
        user.end_sessions(but=caller.session)
        return Expected(204)

    def end_session(self, caller: Caller, session: str) -> Expected:
        sessions = self.users[caller.name].sessions
        if not sessions[session]:
            return NOT_FOUND
        sessions[session] = False
        return Expected(200)

    def create_export(
        self, name: str, caller: Caller, resource: str, format: str, key: str | None
    ) -> Expected:
        who, request, key = caller.name, (resource, format), scoped(EXPORT, key)
        if prior := self._prior(who, key, request):
            return prior
        reads_all = self.users[who].role == "admin" and caller.session
        self.exports[name] = Export(who, None if reads_all else who, resource)
        return self._keep(who, key, request, {"status": "queued", "rows_done": 0}, status=202)

    def write_export(self, name: str, redelivered: bool) -> Steps:
        """Yield the steps of a worker that writes an export."""
        export = self.exports[name]
        yield "claim_export"
        if export.status not in ("queued", "processing") or (
            export.status == "processing" and not redelivered
        ):
            return None
        export.status = "processing"
        yield "continue_export"
        if export.status != "processing":
            return None
        if (user := self.users[export.who]).deleted or not user.active:
            export.status = "failed"
            return None
        yield "read rows"
        rows = self._listed(export)
        # A worker whose message was delivered again, too, may replace the file that the other one wrote.
        yield "complete_export"
        export.rows = rows
        if export.status == "processing":
            export.status, export.rows_done = "completed", rows.total()
        return None

    def _listed(self, export: Export) -> Counter[ExportedRow]:
        """Return the rows of the list that the export writes."""
        listed = Counter[ExportedRow]()
        if export.resource == "records":
            for record in self.records.values():
                if not record.deleted and export.owner in (None, record.owner):
                    listed[record.owner, record.operation, record.amount, record.balance] += 1
            return listed
        for name in [export.owner] if export.owner else self.users:
            listed.update((name, *entry) for entry in self.users[name].ledger)
        return listed

    def charge(
        self,
        record: str,
        caller: Caller,
        operation: str,
        arguments: Arguments,
        key: str | None,
    ) -> Expected:
        who, operation = caller.name, ALIASES.get(operation, operation)
        user = self.users[who]
        if not self.may_call(caller):
            return NOT_SIGNED_IN
        arguments = used_arguments(operation, arguments)
        result = compute(operation, arguments)
        if result is None:
            return INVALID
        if prior := self._prior(who, key, (operation, arguments)):
            return prior
        cost = self.prices.get(operation)
        if cost is None:
            return INVALID
        api_key = None if caller.session else self.api_keys[who]
        if api_key and api_key.spent + cost > api_key.limit:
            members = {"balance": user.balance, "cost": cost}
            return Expected(402, members, problem="spend-limit-reached")
        if user.balance < cost:
            members = {"balance": user.balance, "cost": cost}
            return Expected(402, members, problem="insufficient-credit")
        user.move("charge", -cost)
        if api_key:
            api_key.spent += cost
        self.count_usage(who, operation, cost, calls=1)
        self.records[record] = Record(
            who, operation, arguments, result, cost, user.balance, paid=(who, operation, cost)
        )
        members = {"result": result, "amount": cost, "user_balance": user.balance}
        return self._keep(who, key, (operation, arguments), members)

    def grant(self, who: str, amount: Decimal, key: str | None) -> Expected:
        user, request, key = self.users[who], (who, amount), scoped(GRANT, key)
        if prior := self._prior(ADMIN, key, request):
            return prior
        if user.deleted:
            return NOT_FOUND
        if user.balance + amount < 0:
            return INVALID
        before = {"balance": user.balance}
        user.move("grant", amount)
        self.audit("grant", ("user", who), before, {"balance": user.balance, "reason": REASON})
        return self._keep(ADMIN, key, request, {"amount": amount, "user_balance": user.balance})

    def refund_record(self, record: str, key: str | None) -> Expected:
        found, key = self.records[record], scoped(REFUND_RECORD, key)
        if prior := self._prior(ADMIN, key, record):
            return prior
        if found.deleted:
            return NOT_FOUND
        task = self.tasks[found.task] if found.task else None
        if found.refunded or (task and task.refunded) or not found.paid:
            return CONFLICT
        who, operation, amount = found.paid
        if not amount or self.users[who].deleted:
            return CONFLICT
        self._refund(who, operation, amount, task)
        self._audit_refund(("record", record), amount)
        self.users[who].move("refund", amount)
        found.refunded = True
        return self._keep(ADMIN, key, record, {"amount": amount, "user_balance": self.users[who].balance})

    def refund_task(self, name: str, key: str | None) -> Expected:
        task, key = self.tasks[name], scoped(REFUND_TASK, key)
        if prior := self._prior(ADMIN, key, name):
            return prior
        amount, user = task.spent - task.returned, self.users[task.owner]
        if task.status in UNFINISHED or task.refunded or not amount or user.deleted:
            return CONFLICT
        for operation, (_, spent) in list(task.operations.items()):
            self._refund(task.owner, operation, spent, task)
        self._audit_refund(("task", name), amount)
        user.move("refund", amount)
        task.refunded = True
        return self._keep(ADMIN, key, name, {"amount": amount, "user_balance": user.balance})

    def _refund(self, who: str, operation: str, amount: Decimal, task: Task | None) -> None:
        self.count_usage(who, operation, -amount)
        if task:
            rows, spent = task.operations[operation]
            task.operations[operation] = rows, spent - amount
            task.returned += amount

    def _audit_refund(self, resource: tuple[str, str], amount: Decimal) -> None:
        after = {"refund_id": True, "amount": amount, "reason": REASON}
        self.audit("refund", resource, {"refund_id": False}, after)

    def set_balance(self, who: str, balance: Decimal) -> Expected:
        user = self.users[who]
        if user.deleted:
            return NOT_FOUND
        before = _user_members(user)
        if balance != user.balance:
            user.move("adjustment", balance - user.balance)
        self.audit("update", ("user", who), before, _user_members(user))
        return Expected(204)

    def set_status(self, who: str, status: str, by: str) -> Steps:
        user = self.users[who]
        if status == "inactive" and who == by:
            return CONFLICT
        yield "suspend_tasks"
        # Locked until the commit.
        suspended = [task for task in self.tasks.values() if task.owner == who and task.status in UNFINISHED]
        yield "commit"
        if user.deleted:
            return NOT_FOUND
        before = _user_members(user)
        user.active = status == "active"
        self.audit("update", ("user", who), before, _user_members(user))
        if not user.active:
            user.end_sessions()
            for task in suspended:
                task.end("cancelled")
        return Expected(204)

    def delete_user(self, who: str) -> Expected:
        user = self.users[who]
        if user.deleted:
            return NOT_FOUND
        self.audit("delete", ("user", who), _user_members(user), None)
        user.deleted = True
        user.end_sessions()
        return Expected(200)

    def price(self, operation: str, cost: Decimal) -> Expected:
        if operation in self.prices:
            return CONFLICT
        self.prices[operation] = cost
        self.audit("create", ("operation", operation), None, _price_members(operation, cost))
        return Expected(201, {"cost": cost})

    def change_price(self, operation: str, cost: Decimal) -> Expected:
        if operation not in self.prices:
            return NOT_FOUND
        before, self.prices[operation] = self.prices[operation], cost
        self.audit("update", ("operation", operation), {"cost": before}, {"cost": cost})
        return Expected(200, {"cost": cost})

    def remove_price(self, operation: str) -> Expected:
        cost = self.prices.pop(operation, None)
        if cost is None:
            return NOT_FOUND
        self.audit("delete", ("operation", operation), _price_members(operation, cost), None)
        return Expected(200)

    def write_record(
        self, record: str, who: str, operation: str, amount: Decimal, balance: Decimal
    ) -> Expected:
        self.records[record] = Record(who, operation, None, MANUAL, amount, balance)
        self.audit("create", ("record", record), None, self._record_members(record))
        return Expected(201, {"amount": amount, "user_balance": balance})

    def correct_record(self, record: str, to: str, amount: Decimal) -> Expected:
        found = self.records[record]
        if found.deleted:
            return NOT_FOUND
        before = self._record_members(record)
        found.owner, found.amount = to, amount
        self.audit("update", ("record", record), before, self._record_members(record))
        return Expected(204)

    def delete_record(self, record: str) -> Expected:
        if self.records[record].deleted:
            return NOT_FOUND
        self.audit("delete", ("record", record), self._record_members(record), None)
        self.records[record].deleted = True
        return Expected(200)

    def _record_members(self, record: str) -> dict[str, Any]:
        """Return what the audit log has of a record."""
        it = self.records[record]
        refunded = it.refunded or bool(it.task and self.tasks[it.task].refunded)
        return {
            "user_id": it.owner,
            "operation": it.operation,
            "amount": it.amount,
            "user_balance": it.balance,
            "task_id": it.task,
            "task_row": it.row,
            "deleted_at": False,
            "refunded_at": refunded,
            "refund_id": refunded,
        }

    def expected_state(self) -> dict[str, Any]:
        """Return the predicted content of the database, in the format of `database_state.read`."""
        return {
            "users": {
                name: (u.email, u.role, u.balance, u.deleted, u.active, u.sessions, u.ledger)
                for name, u in self.users.items()
            },
            "prices": self.prices,
            "keys": set(self.keys),
            "usage": self.usage,
            "audit_log": self.audit_log,
            "exports": {
                name: (e.who, e.owner, e.resource, e.status, e.rows_done, e.status == "completed" and e.rows)
                for name, e in self.exports.items()
            },
            "api_keys": {who: (api_key.limit, api_key.spent) for who, api_key in self.api_keys.items()},
            "records": Counter(
                (
                    *(r.owner, r.operation, r.arguments, r.result, r.amount, r.balance, r.task, r.row),
                    *(r.deleted, r.refunded),
                )
                for r in self.records.values()
            ),
            "tasks": {
                name: (
                    t.owner,
                    t.status,
                    t.done,
                    len(t.refused),
                    t.spent,
                    t.cost,
                    t.max_spend,
                    t.returned,
                    t.refunded,
                    t.by_key,
                    t.operations,
                    t.has_worker and t.status == "processing",
                    t.results,
                )
                for name, t in self.tasks.items()
            },
        }

    def _prior(self, who: str, key: str | None, request: Any) -> Expected | None:
        if key is None or (who, key) not in self.keys:
            return None
        first, response = self.keys[who, key]
        return Expected(response.status, response.members, replayed=True) if first == request else KEY_REUSED

    def _keep(
        self, who: str, key: str | None, request: Any, members: Mapping[str, Any], status: int = 200
    ) -> Expected:
        response = Expected(status, members)
        if key is not None:
            self.keys[who, key] = (request, response)
        return response


def _changed(members: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in others or value != others[name]}


def _user_members(user: User) -> dict[str, Any]:
    """Return what the audit log has of a user."""
    status = "active" if user.active else "inactive"
    members = {"email": user.email, "role": user.role, "balance": user.balance, "status": status}
    return {**members, "deleted_at": False, "low_balance_threshold": THRESHOLD}


def _price_members(operation: str, cost: Decimal) -> dict[str, Any]:
    return {"type": operation, "cost": cost, "deleted_at": False}


def used_arguments(operation: str, sent: Arguments) -> Arguments:
    """Return the arguments that a call computes with and records."""
    return () if operation == "random_string" else sent


def scoped(route: str, key: str | None) -> str | None:
    """Return an idempotency key as the service stores it."""
    return None if key is None else f"{route} {key}"


def compute(operation: str, arguments: Arguments) -> Computed:
    """Return the result as the nearest double, or None for invalid arguments."""
    minimum, maximum = ARGUMENTS.get(operation, (1, 0))
    if not minimum <= len(arguments) <= maximum:
        return None
    exact = [Fraction(argument) for argument in arguments]
    match operation:
        case "addition":
            return float(sum(exact))
        case "substraction":
            return float(exact[0] - sum(exact[1:]))
        case "multiplication":
            return float(exact[0] * exact[1])
        case "division":
            return float(exact[0] / exact[1]) if exact[1] else None
        case "square_root":
            return sqrt(exact[0]) if exact[0] >= 0 else None
        case _:
            return ANY_STRING
