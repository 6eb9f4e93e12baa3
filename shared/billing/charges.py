"""Charges and grants of credit. One statement moves money and writes the ledger."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared import database, metrics
from shared.auth.caller import NOT_SIGNED_IN_DETAIL, Caller, Credentials, insufficient_scope
from shared.database import Row
from shared.errors import Conflict, InsufficientCredit, InvalidInput, NotFound, NotSignedIn, SpendLimitReached
from shared.idempotency import StoredResponse, exact_text, fingerprint, prior_response, scoped
from shared.ids import uuid7
from shared.operations.catalog import Result, as_json

OPENING_CREDIT = {"client": Decimal(20), "admin": Decimal(100)}
"""Credits of a new account."""

ATTEMPTS = 3
"""Maximum number of runs of a charge or grant. A statement that moves no money returns the balance that it
read at its start. If a concurrent movement changed the balance meanwhile, the returned one may cover the
cost. Then the statement runs again."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a priced operation. The charging statement looks the caller up by `presented`.

    `operation` is the name in the API, `arguments` is JSON text, and `key` is the idempotency key or None.
    """

    presented: Credentials
    operation: str
    arguments: str
    key: str | None

    @property
    def statement(self) -> str:
        """The charging statement for these credentials."""
        return "charge_by_key" if self.presented.api_key_hash else "charge"

    def parameters(self) -> dict[str, Any]:
        return {
            **self.presented.parameters(),
            "type": self.operation,
            "key": self.key,
            "fingerprint": None if self.key is None else self._fingerprint(),
        }

    def _fingerprint(self) -> bytes:
        exactly = json.loads(self.arguments, parse_float=exact_text, parse_int=exact_text)
        return fingerprint({"type": self.operation, "arguments": exactly})


def quote(call: Call) -> StoredResponse | None:
    """Check before an expensive computation whether the balance covers its cost.

    This reserves nothing: `charge` checks the balance again.

    Returns:
        The first response if the call is a replay, otherwise None.

    Raises: as `charge`.
    """
    row = database.only("quote", **call.parameters())
    return _settled(call, row)


def charge(call: Call, result: Result) -> StoredResponse:
    """Charge the caller for a computed call and record it, in one round trip.

    Raises:
        NotSignedIn, InsufficientScope, InvalidInput (no such priced operation), InsufficientCredit,
        SpendLimitReached, IdempotencyKeyReused, Conflict (a request with the same key is running).
    """
    parameters = {**call.parameters(), **outcome(call, result)}
    for _ in range(ATTEMPTS):
        row = _run_with_key(call.statement, **parameters)
        if (response := _settled(call, row)) is not None:
            if not response.replayed:
                metrics.emit(call.operation, OperationsCharged=1, CreditsCharged=row["cost"])
            return response
    raise Conflict("Concurrent calls of this account changed the balance. Try again.", retry_after=1)


def outcome(call: Call, result: Result) -> dict[str, Any]:
    """Return the parameters of the charging statement for a computed call's record and ledger entry."""
    return {
        "record_id": uuid7(),
        "entry_id": uuid7(),
        "arguments": call.arguments,
        "result": as_json(result),
    }


def _settled(call: Call, row: Row) -> StoredResponse | None:
    """Return the response, or None if balance and limit cover the cost but nothing was charged."""
    if row["user_id"] is None:
        raise NotSignedIn(NOT_SIGNED_IN_DETAIL)
    if not row.get("in_scope", True):
        raise insufficient_scope("compute")
    if (response := _response(row)) is not None:
        return response
    cost, balance = row["cost"], row["balance"]
    if cost is None:
        raise InvalidInput.at(
            "#/type", f"The operation {call.operation!r} has no price, so it cannot be called."
        )
    limit = row.get("limit_amount")
    if limit is not None and row["spent"] + cost > limit:
        metrics.emit(ChargesRefused=1)
        raise SpendLimitReached(_limit_detail(row), balance=balance, cost=cost)
    if balance < cost:
        metrics.emit(ChargesRefused=1)
        detail = f"The balance is {balance} and this call costs {cost}. Add credit and send it again."
        raise InsufficientCredit(detail, balance=balance, cost=cost)
    return None


def _limit_detail(row: Row) -> str:
    """Return the detail for a call that would exceed the spending limit of its API key."""
    spent = f"{row['spent']} of it are spent, and this call costs {row['cost']}."
    if row["limit_per"] == "total":
        return f"This API key may spend {row['limit_amount']} in total. {spent} Use another key."
    return (
        f"This API key may spend {row['limit_amount']} per {row['limit_per']}. {spent} The {row['limit_per']}"
        f" ends at {row['period_end']}. Wait until then, or use another key."
    )


def grant(admin: Caller, user_id: UUID, amount: Decimal, reason: str, key: str | None) -> StoredResponse:
    """Grant credit to a user, or withdraw it (amount < 0). The balance never falls below zero.

    Raises:
        NotFound, InvalidInput (would go below zero), IdempotencyKeyReused, Conflict.
    """
    parameters = {
        "admin_id": admin.id,
        "user_id": user_id,
        "amount": amount,
        "reason": reason,
        "key": scoped("POST /api/v1/users/{id}/credits", key),
        "unscoped_key": key,
        "fingerprint": fingerprint({"user_id": str(user_id), "amount": amount, "reason": reason}),
        "entry_id": uuid7(),
        "audit_id": uuid7(),
    }
    for _ in range(ATTEMPTS):
        row = _run_with_key("grant", **parameters)
        if (response := _response(row)) is not None:
            return response
        if row["user_id"] is None:
            raise NotFound("There is no such user.")
        if row["balance"] + amount < 0:
            raise InvalidInput.at("#/amount", f"The balance is {row['balance']} and cannot go below zero.")
    raise Conflict("Concurrent calls of this account changed the balance. Try again.", retry_after=1)


def _run_with_key(statement: str, **parameters: Any) -> Row:
    """Run a statement that stores an idempotency key. Retry it if a concurrent request stored the key first.

    The unique constraint has rolled back the first run, and the second run returns the stored response.
    """
    try:
        return database.only(statement, **parameters)
    except Conflict:
        return database.only(statement, **parameters)


def _response(row: Row) -> StoredResponse | None:
    """Return the stored response of an earlier request, or the response of this one if it moved money."""
    if (prior := prior_response(row)) is not None:
        return prior
    return StoredResponse(row["body"]) if row["body"] is not None else None
