"""What the service should do, in plain Python: everybody's money, prices, records and idempotency keys.

Its users, records and tasks have names where the service has ids. What it predicts of an answer is
the status and what its body says of money.
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
    "random_string": (0, 0),
}
"""The fewest and the most that an operation takes."""
ALIASES = {"subtraction": "substraction"}
BY_HAND = "by hand"
"""The result of a record that an admin wrote."""
ANY_STRING = "any string"
"""A result that nobody can foretell."""

Arguments = tuple[Decimal, ...]
Rows = tuple[tuple[str, Arguments], ...]
"""A file's operations and their arguments."""
Computed = float | str | None
Result = tuple[int, str, Arguments, Computed, Decimal | None, Decimal | None, bool]
"""A row of the result file: its number, operation, arguments, result, amount, balance, and whether there
is an error in place of the last three."""


@dataclass(frozen=True)
class Expected:
    """An answer: its status, members of its body, the problem's slug, whether it is a replay."""

    status: int
    members: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    replayed: bool = False


Steps = Generator[str, None, Expected | None]
"""Each is named, and done when the next one is asked for."""

WRONG_CREDENTIALS = Expected(401, problem="wrong-credentials")
NOT_SIGNED_IN = Expected(401, problem="not-signed-in")
NOT_FOUND = Expected(404, problem="not-found")
CONFLICT = Expected(409, problem="conflict")
INVALID = Expected(422, problem="invalid-input")
KEY_REUSED = Expected(422, problem="idempotency-key-reused")


@dataclass
class User:
    """Somebody, and the statement of their credit: kind, amount, and balance after it."""

    email: str
    role: str
    balance: Decimal = Decimal(0)
    deleted: bool = False
    ledger: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)

    def move(self, kind: str, amount: Decimal) -> None:
        self.balance += amount
        self.ledger.append((kind, amount, self.balance))


@dataclass
class Record:
    """A call or a row that was charged, or an admin's entry; as admins corrected it."""

    owner: str
    operation: str
    arguments: Arguments | None
    result: Computed
    amount: Decimal
    balance: Decimal
    task: str | None = None
    row: int | None = None
    deleted: bool = False


@dataclass
class Task:
    """A file: its rows, how far it is billed, and its results once they are written."""

    owner: str
    rows: Rows
    status: str
    stored: bool = False
    begun: bool = False
    """Whether a worker has ever looked at it."""
    has_worker: bool = False
    """Whether a worker has it, or died with it; of meaning while it is `processing` only."""
    done: int = 0
    refused: dict[int, tuple[str, Arguments]] = field(default_factory=dict)
    """The operation and arguments of each row that was, by its number."""
    spent: Decimal = Decimal(0)
    results: list[Result] | None = None


class Model:
    """The state of the service."""

    def __init__(self) -> None:
        self.users = dict[str, User]()
        self.prices = dict[str, Decimal]()
        self.records = dict[str, Record]()
        self.tasks = dict[str, Task]()
        self.keys = dict[tuple[str, str], tuple[Any, Expected]]()
        """What was asked under a user's key, and the answer."""

    def living(self, email: str) -> str | None:
        """The name of whose e-mail it is."""
        return next((name for name, u in self.users.items() if u.email == email and not u.deleted), None)

    def enrol(self, email: str, role: str) -> None:
        """Somebody, whose name is the e-mail and how many have had it."""
        name = f"{email} {1 + sum(user.email == email for user in self.users.values())}"
        self.users[name] = User(email, role)
        self.users[name].move("opening", OPENING[role])

    def sign_in(self, email: str) -> Steps:
        """Or up, if nobody living has that e-mail."""
        yield "sign_in_attempt"
        found = self.living(email)
        yield "sign_up"
        if found and self.users[found].deleted:
            return WRONG_CREDENTIALS
        if self.living(email) is None:
            self.enrol(email, "client")
        return Expected(200)

    def charge(
        self, record: str, who: str, operation: str, arguments: Arguments, key: str | None
    ) -> Expected:
        operation, user = ALIASES.get(operation, operation), self.users[who]
        if user.deleted:
            return NOT_SIGNED_IN
        result = compute(operation, arguments)
        if result is None:
            return INVALID
        if prior := self._prior(who, key, (operation, arguments)):
            return prior
        cost = self.prices.get(operation)
        if cost is None:
            return INVALID
        if user.balance < cost:
            told = {"balance": user.balance, "cost": cost}
            return Expected(402, told, problem="insufficient-credit")
        user.move("charge", -cost)
        self.records[record] = Record(who, operation, arguments, result, cost, user.balance)
        told = {"result": result, "amount": cost, "user_balance": user.balance}
        return self._keep(who, key, (operation, arguments), told)

    def grant(self, admin: str, who: str, amount: Decimal, key: str | None) -> Expected:
        user, asked = self.users[who], (who, amount)
        if prior := self._prior(admin, key, asked):
            return prior
        if user.deleted:
            return NOT_FOUND
        if user.balance + amount < 0:
            return INVALID
        user.move("grant", amount)
        return self._keep(admin, key, asked, {"amount": amount, "user_balance": user.balance})

    def set_balance(self, who: str, balance: Decimal) -> Expected:
        user = self.users[who]
        if user.deleted:
            return NOT_FOUND
        if balance != user.balance:
            user.move("adjustment", balance - user.balance)
        return Expected(204)

    def delete_user(self, who: str) -> Expected:
        if self.users[who].deleted:
            return NOT_FOUND
        self.users[who].deleted = True
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

    def unprice(self, operation: str) -> Expected:
        return NOT_FOUND if self.prices.pop(operation, None) is None else Expected(200)

    def write_record(
        self, record: str, who: str, operation: str, amount: Decimal, balance: Decimal
    ) -> Expected:
        self.records[record] = Record(who, operation, None, BY_HAND, amount, balance)
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

    def books(self) -> dict[str, Any]:
        """All that the database should hold, as `books.Books.read` reads it."""
        return {
            "users": {
                name: (u.email, u.role, u.balance, u.deleted, u.ledger) for name, u in self.users.items()
            },
            "prices": self.prices,
            "keys": set(self.keys),
            "records": Counter(
                (r.owner, r.operation, r.arguments, r.result, r.amount, r.balance, r.task, r.row, r.deleted)
                for r in self.records.values()
            ),
            "tasks": {
                name: (
                    t.owner,
                    t.status,
                    t.done,
                    len(t.refused),
                    t.spent,
                    t.has_worker and t.status == "processing",
                    t.results,
                )
                for name, t in self.tasks.items()
            },
        }

    def _prior(self, who: str, key: str | None, asked: Any) -> Expected | None:
        if key is None or (who, key) not in self.keys:
            return None
        first, answer = self.keys[who, key]
        return Expected(answer.status, answer.members, replayed=True) if first == asked else KEY_REUSED

    def _keep(self, who: str, key: str | None, asked: Any, told: Mapping[str, Any]) -> Expected:
        answer = Expected(200, told)
        if key is not None:
            self.keys[who, key] = (asked, answer)
        return answer


def compute(operation: str, arguments: Arguments) -> Computed:
    """The result as the nearest double; None where there is none."""
    fewest, most = ARGUMENTS.get(operation, (1, 0))
    if not fewest <= len(arguments) <= most:
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
