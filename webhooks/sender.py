"""The sender: call the webhooks' URLs, and report the results.

It runs outside the VPC and has neither the database's address nor any secret. It sends all messages of an
invocation at the same time, so a slow receiver delays no other.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools import Logger

from shared import aws, interpreter
from shared.errors import ServiceUnavailable
from shared.settings import settings
from webhooks.messages import Attempt, Report
from webhooks.request import TIME_LIMIT, AttemptFailed, send

logger = Logger(service="restcalculator")
interpreter.end_imports()


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Send the attempts of one invocation.

    Returns:
        The messages whose results could not be reported. SQS delivers them again, so the receiver may get the
        event twice.
    """
    records = event["Records"]
    aws.sqs()  # the client is created once, before the threads use it
    with ThreadPoolExecutor(len(records)) as pool:
        done = list(pool.map(_process, records))
    failed = [record["messageId"] for record, is_done in zip(records, done, strict=True) if not is_done]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _process(record: dict[str, Any]) -> bool:
    """Send one attempt and report its result. Return False if SQS must deliver the message again."""
    try:
        attempt = Attempt.of(record["body"])
        # The request must end before the dispatcher may claim the delivery again.
        if time.time() + TIME_LIMIT < attempt.expires_at:
            aws.send_messages(settings().report_queue_url, [_report(attempt).to_json()])
    except ServiceUnavailable as error:
        logger.warning("result not reported, will be sent again", reason=error.detail)
        return False
    except Exception:
        logger.exception("message failed")
        return False
    return True


def _report(attempt: Attempt) -> Report:
    """Send an attempt, and return its result."""
    sent_at, began = time.time(), time.monotonic()
    status = response = error = retry_after = None
    try:
        received = send(attempt, allows_loopback=settings().allows_loopback)
        status, response, retry_after = received.status, received.text, received.retry_after
    except AttemptFailed as failure:
        error = str(failure)
    return Report(
        attempt_id=attempt.attempt_id,
        delivery_id=attempt.delivery_id,
        webhook_id=attempt.webhook_id,
        number=attempt.number,
        url=attempt.url,
        sent_at=sent_at,
        duration_ms=int((time.monotonic() - began) * 1000),
        status=status,
        response=response,
        error=error,
        retry_after=retry_after,
    )
