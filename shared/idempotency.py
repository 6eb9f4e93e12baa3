"""Idempotency keys: a retried request returns the stored response of the first one and changes nothing.

The key, the change and the response are written in one transaction. `shared/billing` does the same inside its
charging statements.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared import database
from shared.database import Row, Statements, UnitOfWork
from shared.errors import Conflict, IdempotencyKeyReused
from shared.operations.catalog import DECIMAL128


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be retried.

    `key` is the Idempotency-Key or None, scoped to the user and the route; `payload` is JSON with Decimals.
    """

    user_id: UUID
    route: str
    key: str | None
    payload: Any

    def parameters(self) -> dict[str, Any]:
        """Return the statement parameters that identify the request."""
        return {
            "user_id": self.user_id,
            "key": scoped(self.route, self.key),
            "fingerprint": fingerprint(self.payload),
        }


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response body, and whether it is replayed from an earlier request."""

    body: str
    replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Idempotent-Replayed": "true"} if self.replayed else {}


def run_once(
    request: Request, change: Callable[[Statements], str], *, in_transaction: bool = False
) -> StoredResponse:
    """Run a change and store its response, or return the response of an earlier request with the same key.

    Args:
        change: runs statements and returns the response body. If it raises, nothing is stored.
        in_transaction: whether `change` needs a transaction even without a key.

    Raises:
        IdempotencyKeyReused: the key belongs to a different request.
        Conflict: a request with the same key is running.
    """
    if request.key is None and not in_transaction:
        return StoredResponse(change(database))
    with UnitOfWork() as uow:
        response = _lock_and_read(request, uow) if request.key is not None else None
        if response is None:
            response = StoredResponse(change(uow))
            if request.key is not None:
                uow.run("store_response", **request.parameters(), response=response.body)
            uow.commit()
    return response


def _lock_and_read(request: Request, uow: UnitOfWork) -> StoredResponse | None:
    """Lock the request's key until the transaction ends, and return the response stored for it, or None."""
    parameters = request.parameters()
    # Two statements: the second one sees what the previous holder of the lock committed.
    lock = uow.only("lock_idempotency_key", user_id=request.user_id, key=parameters["key"])
    return prior_response({**uow.only("stored_response", **parameters), **lock})


def prior_response(row: Row) -> StoredResponse | None:
    """Return the response of an earlier request with the same key, or None if there was none.

    Args:
        row: `prior`, the stored body; `same_request`, whether its fingerprint is equal; and `holds_key`,
            whether this request holds the key.

    Raises: as `run_once`.
    """
    if row["prior"] is not None:
        if not row["same_request"]:
            raise IdempotencyKeyReused(
                "This key was used for a different request. Send a new Idempotency-Key."
            )
        return StoredResponse(row["prior"], replayed=True)
    if not row["holds_key"]:
        raise Conflict("A request with this idempotency key is still running. Try again.", retry_after=1)
    return None


def scoped(route: str, key: str | None) -> str | None:
    """Return the stored form of a key. It contains the route, so each route has its own keys."""
    return None if key is None else f"{route} {key}"


def fingerprint(payload: Any) -> bytes:
    """Return a hash that is equal for equal payloads. Numbers are compared exactly, so 5 equals 5.00."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, default=_comparable).encode()).digest()


def exact_text(number: str | Decimal) -> str:
    """Return a number as text with up to 34 digits: the same for 5 and 5.00.

    Numbers that differ only beyond a double's precision have different texts.
    """
    return str(DECIMAL128.normalize(Decimal(number)))


def _comparable(value: object) -> str:
    return exact_text(value) if isinstance(value, Decimal) else str(value)
