"""Refunds of a record and of a task: exactly what was charged, once."""

from typing import Any
from uuid import UUID

from shared.auth.caller import Caller
from shared.database import Statements
from shared.errors import Conflict, NotFound
from shared.ids import uuid7

ATTEMPTS = 3
"""Maximum number of runs of a task's refund. A run changes nothing if the task's last chunk was committed
while it waited for the task's lock, because it does not see all rows of that chunk."""
UNCOUNTED = "The service still counts the charges from before its last upgrade. Try again in an hour."
EXCEEDS_TASK = (
    "An admin corrected the amount before version 1.2, to more than its file was charged. Grant credit"
    " instead."
)
USER_DELETED = "The account was deleted, so its balance can no longer change."


def refund_record(admin: Caller, record_id: UUID, reason: str, statements: Statements) -> str:
    """Refund a record and return the refund as JSON.

    Raises:
        NotFound: the record does not exist or was deleted.
        Conflict: the record or its task was refunded before, it was charged nothing, its user was deleted,
            its amount exceeds what its task was charged and not refunded, or the record is a call's and the
            backfill after an upgrade from 1.1 has not finished.
    """
    row = statements.one("refund_record", id=record_id, **_parameters(admin, reason))
    if row is None:
        raise NotFound("There is no such record.")
    if row["body"] is not None:
        return str(row["body"])
    if row["refunded"]:
        raise Conflict("The record or its task was refunded before. A charge is refunded once.")
    if row["unknown"]:
        raise Conflict(UNCOUNTED)
    if not row["charged"]:
        raise Conflict("The record was charged nothing, so there is nothing to refund.")
    if row["exceeds_task"]:
        raise Conflict(EXCEEDS_TASK)
    raise Conflict(USER_DELETED)


def refund_task(admin: Caller, task_id: UUID, reason: str, statements: Statements) -> str:
    """Refund what an ended task has spent, less the refunds of its records, and return the refund as JSON.

    Raises:
        NotFound: there is no such task.
        Conflict: the task has not ended, was refunded before, has nothing to refund, its owner was deleted,
            or the backfill after an upgrade from 1.1 has not counted its rows yet.
    """
    for _ in range(ATTEMPTS):
        row = statements.one("refund_task", id=task_id, **_parameters(admin, reason))
        if row is None:
            raise NotFound("There is no such task.")
        if row["body"] is not None:
            return str(row["body"])
        if row["unfinished"]:
            raise Conflict(f"The task is {row['status']}: wait until it has ended, or cancel it first.")
        if row["refunded"]:
            raise Conflict("The task was refunded before. A charge is refunded once.")
        if not row["amount"]:
            raise Conflict("Nothing is left to refund: no row was charged, or all were refunded.")
        if row["user_deleted"]:
            raise Conflict(USER_DELETED)
        if row["uncounted"]:
            raise Conflict(UNCOUNTED)
    raise Conflict("The task changed during the refund. Try again.", retry_after=1)


def _parameters(admin: Caller, reason: str) -> dict[str, Any]:
    return {"admin_id": admin.id, "reason": reason, "entry_id": uuid7(), "audit_id": uuid7()}
