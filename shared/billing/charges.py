"""Money: the charge, the grant and the audit. Each movement is one statement that also writes the ledger."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared import database, metrics
from shared.auth.caller import Caller, Credentials
from shared.database import Row
from shared.errors import (
    Conflict,
    IdempotencyKeyReused,
    InsufficientCredit,
    InvalidInput,
    NotFound,
    NotSignedIn,
)
from shared.ids import uuid7
from shared.operations.catalog import DECIMAL128, Result, as_json

OPENING_CREDIT = {"client": Decimal(20), "admin": Decimal(100)}
"""Credits that a new account begins with."""


TRIES = 3
"""A refusal tells the balance that its statement saw. When another movement was in between, that
balance may have sufficed: then it is tried again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a request that moved money, and whether it is a replay of an earlier one."""

    body: str
    replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Idempotent-Replayed": "true"} if self.replayed else {}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a priced operation: `operation` is its wire name, `arguments` are JSON text, and `key`
    is its idempotency key, if it has one. `presented` is looked up by the statements themselves.
    """

    presented: Credentials
    operation: str
    arguments: str
    key: str | None

    def parameters(self) -> dict[str, Any]:
        exactly = json.loads(self.arguments, parse_float=_exact, parse_int=_exact)
        return {
            **self.presented.parameters(),
            "type": self.operation,
            "key": self.key,
            "fingerprint": _fingerprint({"type": self.operation, "arguments": exactly}),
        }


def quote(call: Call) -> Answer | None:
    """Whether a call would be charged, for what is not to be computed in vain: None if so, and the
    first answer if the call is a replay. It promises nothing: the charge decides.

    Raises: as `charge`.
    """
    row = database.only("quote", **call.parameters())
    return _settled(call, row)


def charge(call: Call, result: Result) -> Answer:
    """Charge the caller for a computed call and record it, in one round trip.

    Raises:
        NotSignedIn, InvalidInput (no such priced operation), InsufficientCredit,
        IdempotencyKeyReused, Conflict (the same key is being worked on).
    """
    parameters = {**call.parameters(), **outcome(call, result)}
    for _ in range(TRIES):
        row = _once("charge", **parameters)
        if (answer := _settled(call, row)) is not None:
            if not answer.replayed:
                metrics.emit(call.operation, OperationsCharged=1, CreditsCharged=row["cost"])
            return answer
    raise Conflict("Other calls of this account are in the way; try again.")


def outcome(call: Call, result: Result) -> dict[str, Any]:
    """Return the parameters of the charging statement for a computed call's record and ledger entry."""
    return {
        "record_id": uuid7(),
        "entry_id": uuid7(),
        "arguments": call.arguments,
        "result": as_json(result),
    }


def _settled(call: Call, row: Row) -> Answer | None:
    """The answer; None when the balance would do, but nothing was charged."""
    if row["user_id"] is None:
        raise NotSignedIn("The session has ended; sign in again.")
    if (answer := _answer(row)) is not None:
        return answer
    cost, balance = row["cost"], row["balance"]
    if cost is None:
        raise InvalidInput.at("#/type", f"The operation {call.operation!r} has no price: it can't be called.")
    if balance < cost:
        metrics.emit(ChargesRefused=1)
        detail = f"This costs {cost} and the balance is {balance}."
        raise InsufficientCredit(detail, balance=balance, cost=cost)
    return None


def grant(admin: Caller, user_id: UUID, amount: Decimal, reason: str, key: str | None) -> Answer:
    """Give credit to a user, or take it back (amount < 0), never below zero.

    Raises:
        NotFound, InvalidInput (would go below zero), IdempotencyKeyReused, Conflict.
    """
    parameters = {
        "admin_id": admin.id,
        "user_id": user_id,
        "amount": amount,
        "reason": reason,
        "key": key,
        "fingerprint": _fingerprint(
            {"user_id": str(user_id), "amount": _exact(str(amount)), "reason": reason}
        ),
        "entry_id": uuid7(),
    }
    for _ in range(TRIES):
        row = _once("grant", **parameters)
        if (answer := _answer(row)) is not None:
            return answer
        if row["user_id"] is None:
            raise NotFound("There is no such user.")
        if row["balance"] + amount < 0:
            raise InvalidInput.at("#/amount", f"The balance is {row['balance']}; it can't go below zero.")
    raise Conflict("Other movements of this account are in the way; try again.")


def audit() -> list[Row]:
    """Every user whose money is off: balance, sum of the ledger and newest balance_after differ,
    or the chain of entries has a gap. Empty when all is well."""
    return database.run("audit")


def _once(statement: str, **parameters: Any) -> Row:
    """Run a statement that stores an idempotency key; a lost race for the key is run again.

    The loser's transaction was rolled back whole by the key's uniqueness, and now sees the
    winner's answer.
    """
    try:
        return database.only(statement, **parameters)
    except Conflict:
        return database.only(statement, **parameters)


def _answer(row: Row) -> Answer | None:
    if row["prior"] is not None:
        if not row["same_request"]:
            raise IdempotencyKeyReused("Send a new Idempotency-Key with a new request.")
        return Answer(row["prior"], replayed=True)
    if not row["ours"]:
        raise Conflict("A request with this idempotency key is still running.")
    return Answer(row["body"]) if row["body"] is not None else None


def _exact(number: str) -> str:
    """A number's text, the same for 5 and 5.00, another for what only a double would take for 5."""
    return str(DECIMAL128.normalize(Decimal(number)))


def _fingerprint(request: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
