"""Webhooks: the URLs to which a user's events are sent. The delivery is in the package `webhooks`."""

import base64
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared import database
from shared.auth import caller as auth
from shared.auth import throttle
from shared.auth.caller import Caller, Credentials
from shared.database import Row, UnitOfWork
from shared.errors import Conflict, NotFound
from shared.ids import uuid7

SECRET_BYTES = 32
REQUESTS_AT_ONCE = 6
REQUESTS_PER_SECOND = 0.1
"""The bucket of a user's test events and redeliveries: its capacity, and its new tokens per second."""
CREATIONS_AT_ONCE = 20
CREATIONS_PER_SECOND = 1 / 120
"""The bucket of a user's new webhooks. It limits the rows of deleted webhooks, which stay until housekeeping
deletes them."""


def create(presented: Credentials, user_id: UUID, wanted: Mapping[str, Any]) -> str:
    """Create a webhook for the signed-in user, and return it as JSON with its secret.

    Args:
        presented: the credentials of the request. They are looked up again while the user's row is locked,
            because a password change or a deletion may have ended them meanwhile.
        wanted: `url`, `events` and `description`.

    Raises:
        NotSignedIn: the credentials are no longer valid.
        Conflict: the user has 10 webhooks.
        TooManyRequests: the user has created too many within a short time.
    """
    with UnitOfWork() as uow:
        uow.one("lock_user", id=user_id)
        caller = auth.look_up(presented, uow)
        row = uow.one(
            "create_webhook",
            id=uuid7(),
            user_id=user_id,
            **wanted,
            secret=_new_secret(),
            admin_id=caller.admin_id,
            audit_id=uuid7(),
            capacity=CREATIONS_AT_ONCE,
            per_second=CREATIONS_PER_SECOND,
        )
        if row is None:
            raise Conflict("You have 10 webhooks. Delete one that you no longer use and try again.")
        throttle.check(row["wait"])
        uow.commit()
    return str(row["body"])


def update(caller: Caller, webhook_id: UUID, changes: Mapping[str, Any]) -> str:
    """Change `url`, `events`, `description` or `paused` of a webhook, and return it.

    A description that is None is removed. Raises: NotFound.
    """
    names = ("url", "events", "description", "paused")
    return _body(
        database.one(
            "update_webhook",
            id=webhook_id,
            user_id=caller.id,
            **{name: changes.get(name) for name in names},
            changes_description="description" in changes,
            forgets_failures="url" in changes or changes.get("paused") is False,
            admin_id=caller.admin_id,
            audit_id=uuid7(),
        )
    )


def delete(caller: Caller, webhook_id: UUID) -> None:
    """Delete a webhook. Raises: NotFound."""
    row = database.one(
        "delete_webhook", id=webhook_id, user_id=caller.id, admin_id=caller.admin_id, audit_id=uuid7()
    )
    if row is None:
        raise _not_found()


def rotate_secret(caller: Caller, webhook_id: UUID) -> str:
    """Replace a webhook's secret, and return the webhook as JSON with the new one. Raises: NotFound."""
    return _body(
        database.one(
            "rotate_webhook_secret",
            id=webhook_id,
            user_id=caller.id,
            secret=_new_secret(),
            admin_id=caller.admin_id,
            audit_id=uuid7(),
        )
    )


def test(caller: Caller, webhook_id: UUID) -> str:
    """Write a test event for a webhook, and return its delivery as JSON.

    Raises:
        NotFound, TooManyRequests.
        Conflict: the webhook is paused.
    """
    row = database.one(
        "test_webhook",
        id=webhook_id,
        user_id=caller.id,
        event_id=uuid7(),
        delivery_id=uuid7(),
        capacity=REQUESTS_AT_ONCE,
        per_second=REQUESTS_PER_SECOND,
    )
    return _due(row, "There is no such webhook.")


def redeliver(caller: Caller, webhook_id: UUID, delivery_id: UUID) -> str:
    """Make a delivery due again, and return it as JSON. Raises: as `test`."""
    row = database.one(
        "redeliver_webhook",
        id=delivery_id,
        webhook_id=webhook_id,
        user_id=caller.id,
        capacity=REQUESTS_AT_ONCE,
        per_second=REQUESTS_PER_SECOND,
    )
    return _due(row, "There is no such delivery.")


def check_exists(caller: Caller, webhook_id: UUID) -> None:
    """Check that the caller has this webhook. Raises: NotFound."""
    _body(database.one("webhook", id=webhook_id, user_id=caller.id))


def _new_secret() -> str:
    """Return a new secret, in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def _due(row: Row | None, not_found: str) -> str:
    if row is None:
        raise NotFound(not_found)
    if row["paused"]:
        raise Conflict("The webhook is paused. Send paused: false with PATCH first.")
    throttle.check(row["wait"] or Decimal(0))
    return str(row["body"])


def _body(row: Row | None) -> str:
    if row is None:
        raise _not_found()
    return str(row["body"])


def _not_found() -> NotFound:
    return NotFound("There is no such webhook.")
