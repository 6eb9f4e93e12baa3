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
UNFINISHED = ("awaiting_upload", "queued", "processing")
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


@dataclass(frozen=True)
class Expected:
    """A predicted response: status, members of the body, slug of the problem, and whether it is a replay."""

    status: int
    members: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    replayed: bool = False


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
    signed_in: bool = True
    """Whether the user has a valid session."""
    ledger: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)

    @property
    def may_call(self) -> bool:
        return self.signed_in and self.active and not self.deleted

    def may_call_with(self, api_key: bool) -> bool:
        """Return whether the user's API key is valid, or their session without `api_key`."""
        return self.active and not self.deleted if api_key else self.may_call

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

    def count_usage(self, who: str, operation: str, spent: Decimal, *, calls: int = 0, rows: int = 0) -> None:
        before = self.usage.get((who, operation), (0, 0, Decimal(0)))
        self.usage[who, operation] = before[0] + calls, before[1] + rows, before[2] + spent

    def living_user(self, email: str) -> str | None:
        """Return the name of the user with this e-mail who is not deleted, or None."""
        return next((name for name, u in self.users.items() if u.email == email and not u.deleted), None)

    def add_user(self, email: str, role: str) -> None:
        """Add a user. Their name is the e-mail and the number of users that have had it so far."""
        name = f"{email} {1 + sum(user.email == email for user in self.users.values())}"
        self.users[name] = User(email, role)
        self.users[name].move("opening", OPENING[role])

    def sign_in(self, email: str) -> Steps:
        """Sign in, or sign up if no user has that e-mail."""
        yield "sign_in_attempt"
        found = self.living_user(email)
        yield "sign_up"
        if found and self.users[found].deleted:
            return WRONG_CREDENTIALS
        if (who := self.living_user(email)) is None:
            self.add_user(email, "client")
        elif not self.users[who].active:
            return ACCOUNT_INACTIVE
        else:
            self.users[who].signed_in = True
        return Expected(200)

    def charge(
        self,
        record: str,
        who: str,
        operation: str,
        arguments: Arguments,
        key: str | None,
        by_key: bool = False,
    ) -> Expected:
        operation, user = ALIASES.get(operation, operation), self.users[who]
        if not user.may_call_with(by_key):
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
        api_key = self.api_keys[who] if by_key else None
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

    def grant(self, admin: str, who: str, amount: Decimal, key: str | None) -> Expected:
        user, request, key = self.users[who], (who, amount), scoped(GRANT, key)
        if prior := self._prior(admin, key, request):
            return prior
        if user.deleted:
            return NOT_FOUND
        if user.balance + amount < 0:
            return INVALID
        user.move("grant", amount)
        return self._keep(admin, key, request, {"amount": amount, "user_balance": user.balance})

    def refund_record(self, admin: str, record: str, key: str | None) -> Expected:
        found, key = self.records[record], scoped(REFUND_RECORD, key)
        if prior := self._prior(admin, key, record):
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
        self.users[who].move("refund", amount)
        found.refunded = True
        return self._keep(admin, key, record, {"amount": amount, "user_balance": self.users[who].balance})

    def refund_task(self, admin: str, name: str, key: str | None) -> Expected:
        task, key = self.tasks[name], scoped(REFUND_TASK, key)
        if prior := self._prior(admin, key, name):
            return prior
        amount, user = task.spent - task.returned, self.users[task.owner]
        if task.status in UNFINISHED or task.refunded or not amount or user.deleted:
            return CONFLICT
        for operation, (_, spent) in list(task.operations.items()):
            self._refund(task.owner, operation, spent, task)
        user.move("refund", amount)
        task.refunded = True
        return self._keep(admin, key, name, {"amount": amount, "user_balance": user.balance})

    def _refund(self, who: str, operation: str, amount: Decimal, task: Task | None) -> None:
        self.count_usage(who, operation, -amount)
        if task:
            rows, spent = task.operations[operation]
            task.operations[operation] = rows, spent - amount
            task.returned += amount

    def set_balance(self, who: str, balance: Decimal) -> Expected:
        user = self.users[who]
        if user.deleted:
            return NOT_FOUND
        if balance != user.balance:
            user.move("adjustment", balance - user.balance)
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
        user.active = status == "active"
        if not user.active:
            user.signed_in = False
            for task in suspended:
                task.end("cancelled")
        return Expected(204)

    def delete_user(self, who: str) -> Expected:
        if self.users[who].deleted:
            return NOT_FOUND
        self.users[who].deleted, self.users[who].signed_in = True, False
        return Expected(200)

    def price(self, operation: str, cost: Decimal) -> Expected:
        if operation in self.prices:
            return CONFLICT
        self.prices[operation] = cost
        return Expected(201, {"cost": cost})

    def change_price(self, operation: str, cost: Decimal) -> Expected:
        if operation not in self.prices:
            return NOT_FOUND
        self.prices[operation] = cost
        return Expected(200, {"cost": cost})

    def remove_price(self, operation: str) -> Expected:
        return NOT_FOUND if self.prices.pop(operation, None) is None else Expected(200)

    def write_record(
        self, record: str, who: str, operation: str, amount: Decimal, balance: Decimal
    ) -> Expected:
        self.records[record] = Record(who, operation, None, MANUAL, amount, balance)
        return Expected(201, {"amount": amount, "user_balance": balance})

    def correct_record(self, record: str, to: str, amount: Decimal) -> Expected:
        found = self.records[record]
        if found.deleted:
            return NOT_FOUND
        found.owner, found.amount = to, amount
        return Expected(204)

    def delete_record(self, record: str) -> Expected:
        if self.records[record].deleted:
            return NOT_FOUND
        self.records[record].deleted = True
        return Expected(200)

    def expected_state(self) -> dict[str, Any]:
        """Return the predicted content of the database, in the format of `database_state.read`."""
        return {
            "users": {
                name: (u.email, u.role, u.balance, u.deleted, u.active, u.signed_in, u.ledger)
                for name, u in self.users.items()
            },
            "prices": self.prices,
            "keys": set(self.keys),
            "usage": self.usage,
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

    def _keep(self, who: str, key: str | None, request: Any, members: Mapping[str, Any]) -> Expected:
        response = Expected(200, members)
        if key is not None:
            self.keys[who, key] = (request, response)
        return response


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
