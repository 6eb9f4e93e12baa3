"""Tasks: files that are billed row by row. Create, read, cancel, resume and start them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared import database, exact_json
from shared.auth import throttle
from shared.auth.caller import Caller
from shared.database import Row, Statements, UnitOfWork
from shared.errors import Conflict, NotFound
from shared.ids import uuid7

UPLOADS_AT_ONCE = 6
UPLOADS_PER_SECOND = 0.1
"""The upload bucket of a user: its capacity, and the tokens that it gains per second."""
RESUMES_AT_ONCE = 6
RESUMES_PER_SECOND = 0.1
"""The bucket of a user's resumptions and starts of quoted tasks. Each may send a message to the queue that
all users share."""


def create(
    caller: Caller,
    filename: str,
    size: int,
    status: str,
    *,
    dry_run: bool = False,
    max_spend: Decimal | None = None,
    extra_members: Callable[[UUID], dict[str, Any]] = lambda task_id: {},
    statements: Statements = database,
) -> tuple[UUID, str]:
    """Create a task for the caller.

    Args:
        size: the file's size in bytes, or the largest size that it may have.
        status: `awaiting_upload`, or `queued` if the function stores the file itself.
        dry_run: whether to check and price the rows without charging them.
        max_spend: the credits that the task may spend; None for no limit.
        extra_members: returns members to add to the JSON, such as the presigned POST, for the task's id.
        statements: the caller's unit of work, if the task is created in a transaction.

    Returns:
        The id, and the task as JSON.

    Raises:
        TooManyRequests: too many uploads.
    """
    task_id = uuid7()
    row = statements.only(
        "create_task",
        id=task_id,
        user_id=caller.id,
        api_key_id=caller.api_key_id,
        filename=filename,
        size=size,
        status=status,
        dry_run=dry_run,
        max_spend=max_spend,
        upload=exact_json.dumps(extra_members(task_id)),
        capacity=UPLOADS_AT_ONCE,
        per_second=UPLOADS_PER_SECOND,
    )
    throttle.check(row["wait"])
    return task_id, row["body"]


def plain_name(filename: str | None) -> str:
    """Return the first 255 printable characters of a file name, or `upload.csv` if it has none."""
    printable = "".join(c for c in filename or "" if c.isprintable())
    return printable[:255] or "upload.csv"


def get(task_id: UUID, owner: UUID | None) -> Row:
    """Return a task: its `body` as JSON, and what identifies its results (see task.sql). Raises: NotFound."""
    return _found(database.one("task", id=task_id, owner=owner))


Send = Callable[[UUID, UUID], None]
"""Sends the worker a message, given the ids of the task's owner and of the task. Called before the commit,
unless a message of the task is under way already: the worker of that message reads the committed change."""


def cancel(task_id: UUID, owner: UUID | None, send: Send, admin_id: UUID | None = None) -> str:
    """Cancel a task, and return it as JSON.

    The worker that processes the task writes its results. If there is none, `send` invokes one.

    Args:
        admin_id: the admin in the audit log, if the task is another user's.

    Raises:
        NotFound: the owner has no such task.
        Conflict: it has ended.
    """
    with UnitOfWork() as uow:
        row = _found(uow.one("cancel_task", id=task_id, owner=owner, admin_id=admin_id, audit_id=uuid7()))
        if row["body"] is None:
            raise Conflict(f"The task is {row['status']}: it has already ended, so it cannot be cancelled.")
        # A live worker stops, and then writes the results itself.
        if not row["has_live_worker"] and uow.one("claim_message", id=task_id):
            send(row["user_id"], task_id)
        uow.commit()
    return str(row["body"])


def resume(
    task_id: UUID,
    owner: UUID | None,
    send: Send,
    api_key_id: UUID | None = None,
    admin_id: UUID | None = None,
    **changes: Decimal | None,
) -> str:
    """Resume a task that ran out of credit or was cancelled, from its checkpoint.

    Args:
        owner: the task's owner, to whom the throttle applies; None for an admin.
        api_key_id: the key whose spending limit applies from now on; None for a session.
        admin_id: the admin in the audit log, if the task is another user's.
        changes: `max_spend`, if that limit changes; None removes it.

    Returns:
        The task, as JSON.

    Raises:
        NotFound: the owner has no such task.
        Conflict: the task is neither out_of_credit nor cancelled, it was refunded, or its upload expired.
        TooManyRequests: too many resumptions.
    """
    with UnitOfWork() as uow:
        task = _requeue(
            "resume_task",
            task_id,
            owner,
            send,
            uow,
            api_key_id=api_key_id,
            admin_id=admin_id,
            changes_max_spend="max_spend" in changes,
            max_spend=changes.get("max_spend"),
        )
        uow.commit()
    return task


def start(
    task_id: UUID,
    owner: UUID | None,
    send: Send,
    transaction: Statements,
    api_key_id: UUID | None = None,
    admin_id: UUID | None = None,
) -> str:
    """Queue a quoted task, to charge its rows. Its file and its price stay; everything else begins again.

    Args:
        owner, api_key_id, admin_id: as for `resume`.
        transaction: the caller's unit of work, which the caller commits.

    Returns:
        The task, as JSON.

    Raises:
        NotFound: the owner has no such task.
        Conflict: the task is not quoted, or its upload expired.
        TooManyRequests: too many starts and resumptions.
    """
    return _requeue(
        "start_quoted_task", task_id, owner, send, transaction, api_key_id=api_key_id, admin_id=admin_id
    )


_NEEDED_STATUS = {
    "resume_task": "only tasks that are out_of_credit or cancelled can be resumed.",
    "start_quoted_task": "only tasks that are quoted can be started.",
}
"""The status that a task needs, by statement: the end of the error's detail."""


def _requeue(
    statement: str,
    task_id: UUID,
    owner: UUID | None,
    send: Send,
    transaction: Statements,
    **parameters: Any,
) -> str:
    row = _found(
        transaction.one(
            statement,
            id=task_id,
            owner=owner,
            capacity=RESUMES_AT_ONCE,
            per_second=RESUMES_PER_SECOND,
            audit_id=uuid7(),
            **parameters,
        )
    )
    throttle.check(row["wait"] or Decimal(0))
    if row["refunded"]:
        raise Conflict("The task was refunded, so it cannot be resumed. Upload the file again.")
    if row["upload_expired_at"] is not None:
        raise Conflict(
            f"The uploaded file expired on {row['upload_expired_at']:%Y-%m-%d}. Upload the file again,"
            " without any rows that were charged."
        )
    if row["body"] is None:
        raise Conflict(f"The task is {row['status']}: {_NEEDED_STATUS[statement]}")
    if transaction.one("claim_message", id=task_id):
        send(row["user_id"], task_id)
    return str(row["body"])


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound("There is no such task.")
    return row
