"""The recorder: write the results of attempts to the database, and decide when a delivery is tried again."""

from typing import Any

from aws_lambda_powertools import Logger

from shared import aws, interpreter, metrics
from shared.database import Row, UnitOfWork
from shared.errors import DomainError
from webhooks.backoff import retry_delay
from webhooks.messages import Report

GONE = 410
"""The status by which a receiver unsubscribes (Standard Webhooks, "Delivery success and failure")."""

logger = Logger(service="restcalculator")
interpreter.end_imports()


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Record the results of one invocation.

    Returns:
        The messages that failed. SQS delivers them again.
    """
    failed, is_due = list[str](), False
    for record in event["Records"]:
        try:
            is_due = _record(Report.of(record["body"])) or is_due
        except DomainError as error:
            logger.warning("result not recorded, will be retried", reason=error.detail)
            failed.append(record["messageId"])
        except Exception:
            logger.exception("result rejected")
            failed.append(record["messageId"])
    if is_due:
        aws.request_dispatch()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _record(report: Report) -> bool:
    """Record a result. Return whether another delivery to this user is due."""
    with UnitOfWork() as uow:
        uow.one("lock_webhook", id=report.webhook_id)
        row = uow.only(
            "record_attempt",
            attempt_id=report.attempt_id,
            delivery_id=report.delivery_id,
            webhook_id=report.webhook_id,
            number=report.number,
            url=report.url,
            sent_at=report.sent_at,
            duration_ms=report.duration_ms,
            status=report.status,
            response=report.response,
            error=report.error,
            succeeded=report.succeeded,
            gone=report.status == GONE,
            retry_after=report.retry_after,
            retry_delay=retry_delay(report.number, report.retry_after),
        )
        webhook = uow.one("schedule_webhooks", ids=[report.webhook_id])
        uow.commit()
    _emit_metrics(report, row)
    return webhook is not None and bool(webhook["is_due"])


def _emit_metrics(report: Report, row: Row) -> None:
    """Emit the metrics of what the recording changed: a delivery can have two successful attempts."""
    if row["status"] == "delivered":
        metrics.emit(WebhooksDelivered=1)
    if row["recorded"] and not report.succeeded:
        metrics.emit(WebhooksFailed=1)
    if row["was_paused"]:
        metrics.emit(WebhooksPaused=1)
