"""Money: the charge, the grant and the audit. Each movement is one statement that also writes the ledger."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared.auth import Caller, Credentials
from shared.catalog import DECIMAL128, Result, as_json
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
from shared.unit_of_work import UnitOfWork

OPENING_CREDIT = {"client": Decimal(20), "admin": Decimal(100)}
"""Credits that a new account begins with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a request that moved money, and whether it is a replay of an earlier one."""

    body: str
    replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Idempotent-Replayed": "true"} if self.replayed else {}


def charge(
    uow: UnitOfWork, presented: Credentials, operation: str, arguments: str, result: Result, key: str | None
) -> Answer:
    """Charge the caller for one computed operation and record it, in one round trip.

    Args:
        presented: checked by the statement itself.
        operation: its wire name.
        arguments: as JSON text.
        result: what was computed.
        key: the idempotency key, if one came.

    Raises:
        NotSignedIn, InvalidInput (no such priced operation), InsufficientCredit,
        IdempotencyKeyReused, Conflict (the same key is being worked on).
    """
    call = {
        **presented.parameters(),
        "type": operation,
        "key": key,
        "fingerprint": _fingerprint(
            {"type": operation, "arguments": json.loads(arguments, parse_float=_exact, parse_int=_exact)}
        ),
        "record_id": uuid7(),
        "entry_id": uuid7(),
        "arguments": arguments,
        "result": as_json(result),
    }
    row = _once(uow, "charge", **call)
    if _outrun(row):
        row = _once(uow, "charge", **call)
    if row["user_id"] is None:
        raise NotSignedIn("The session has ended; sign in again.")
    if (answer := _answer(row)) is not None:
        return answer
    if row["cost"] is None:
        raise InvalidInput.at("#/type", f"The operation {operation!r} has no price: it can't be called.")
    raise InsufficientCredit(
        f"This costs {row['cost']} and the balance is {row['balance']}.",
        balance=row["balance"],
        cost=row["cost"],
    )


def grant(
    uow: UnitOfWork, admin: Caller, user_id: UUID, amount: Decimal, reason: str, key: str | None
) -> Answer:
    """Give credit to a user, or take it back (amount < 0), never below zero.

    Raises:
        NotFound, InvalidInput (would go below zero), IdempotencyKeyReused, Conflict.
    """
    row = _once(
        uow,
        "grant",
        admin_id=admin.id,
        user_id=user_id,
        amount=amount,
        reason=reason,
        key=key,
        fingerprint=_fingerprint({"user_id": str(user_id), "amount": _exact(str(amount)), "reason": reason}),
        entry_id=uuid7(),
    )
    if (answer := _answer(row)) is not None:
        return answer
    if row["user_id"] is None:
        raise NotFound("There is no such user.")
    raise InvalidInput.at("#/amount", f"The balance is {row['balance']}; it can't go below zero.")


def audit(uow: UnitOfWork) -> list[Row]:
    """Every user whose money is off: balance, sum of the ledger and newest balance_after differ,
    or the chain of entries has a gap. Empty when all is well."""
    return uow.all("audit")


def _once(uow: UnitOfWork, statement: str, **parameters: Any) -> Row:
    """Run a statement that stores an idempotency key; a lost race for the key is run again.

    The loser's transaction was rolled back whole by the key's uniqueness, and now sees the
    winner's answer.
    """
    try:
        return uow.only(statement, **parameters)
    except Conflict:
        return uow.only(statement, **parameters)


def _outrun(row: Row) -> bool:
    """Whether the balance that the statement saw would do, but another charge was there first."""
    refused = row["body"] is None and row["prior"] is None and bool(row["ours"])
    return refused and row["cost"] is not None and row["balance"] >= row["cost"]


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
