"""The dispatcher: claim due deliveries, sign them, and send them to the sender.

A schedule invokes it each minute, and messages invoke it at once after changes that cause an event.
"""

import time
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger

from shared import aws, database, interpreter
from shared.database import STATEMENT_TIMEOUT, Row, UnitOfWork
from shared.errors import ServiceUnavailable
from shared.settings import settings
from webhooks.messages import Attempt
from webhooks.signature import sign

CLAIMS_LIMIT = 10
"""Deliveries that one transaction claims: the messages of one call of SQS."""
LEASES_PER_USER = 3
"""Requests to the webhooks of one user at the same time, so that slow receivers cannot occupy the sender."""
LEASE_SECONDS = 240
"""Seconds until a delivery without a result can be claimed again. Less than the 5 minutes after which
receivers reject a signature, because the timestamp of the signature is that of the claim."""
MARGIN = STATEMENT_TIMEOUT + 20
"""Seconds that must be left to claim more deliveries, send their messages, and release them if SQS fails."""
USER_AGENT = "restcalculator-webhooks/1"

logger = Logger(service="restcalculator")
interpreter.end_imports()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Send the due deliveries. The content of the event does not matter.

    Returns:
        The number of deliveries sent.

    Raises:
        ServiceUnavailable: the database or SQS can't be reached. Deliveries that were not sent are released,
            or can be claimed again after their lease if the database can't be reached either.
    """
    sent = 0
    while context.get_remaining_time_in_millis() > MARGIN * 1000:
        found, claimed = _dispatch()
        sent += claimed
        if found < CLAIMS_LIMIT:
            break
    if sent:
        logger.info("deliveries dispatched", sent=sent)
    return {"sent": sent}


def _dispatch() -> tuple[int, int]:
    """Claim the due deliveries of some webhooks, and send them.

    Returns:
        The number of webhooks that the claim found, and how many of them had a due delivery.
    """
    with UnitOfWork() as uow:
        rows = uow.run(
            "claim_deliveries", row_limit=CLAIMS_LIMIT, lease=LEASE_SECONDS, lease_limit=LEASES_PER_USER
        )
        attempts = [_attempt(row) for row in rows if row["delivery_id"]]
        if idle := [row["webhook_id"] for row in rows if not row["delivery_id"]]:
            uow.run("schedule_webhooks", ids=idle)
        if rows:
            uow.commit()
    # Send after the commit: a charge that emits an event must not wait for the claim's locks while SQS hangs.
    if attempts:
        _send(attempts)
    return len(rows), len(attempts)


def _send(attempts: Sequence[Attempt]) -> None:
    """Send claimed deliveries to the sender. Raises: ServiceUnavailable if SQS did not accept all."""
    messages = [attempt.to_json() for attempt in attempts]
    try:
        rejected = aws.send_messages(settings().send_queue_url, messages)
    except ServiceUnavailable:
        _release(attempts)
        raise
    if rejected:
        _release([attempts[index] for index in rejected])
        raise ServiceUnavailable(f"SQS rejected {len(rejected)} of {len(attempts)} messages.")


def _release(attempts: Sequence[Attempt]) -> None:
    # One transaction per webhook: a transaction that waits for the locks of several could deadlock with one
    # that writes an event.
    for attempt in attempts:
        database.run("release_delivery", webhook_id=attempt.webhook_id, attempt_id=attempt.attempt_id)


def _attempt(row: Row) -> Attempt:
    event_id, timestamp = str(row["event_id"]), int(time.time())
    return Attempt(
        attempt_id=str(row["attempt_id"]),
        delivery_id=str(row["delivery_id"]),
        webhook_id=str(row["webhook_id"]),
        number=row["number"],
        url=row["url"],
        headers={
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(row["secrets"], event_id, timestamp, row["body"]),
        },
        body=row["body"],
        expires_at=row["expires_at"],
    )
