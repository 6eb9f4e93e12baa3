"""The Lambda function that SQS invokes: process the uploads and exports that each message names."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from shared import aws, database, metrics
from shared.database import UnitOfWork
from shared.errors import DomainError
from worker.batch import End, begin_turn, run_task
from worker.messages import Export, InvalidMessage, Upload, files
from worker.results import write_results_of_ended_task

logger = Logger(service="restcalculator")

RETRY_AFTER = (10, 60, 6 * 60, 36 * 60)
"""Seconds until SQS redelivers a failed message, by the number of its deliveries. The retries span
43 minutes, longer than a short outage. The queue's own visibility timeout is 90 minutes."""


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Process the messages of one invocation.

    Returns:
        The messages that failed, as a partial batch response. SQS retries them, and moves them to the
        dead-letter queue after five deliveries.
    """
    failed = []
    for record in event["Records"]:
        logger.set_correlation_id(record["messageId"])
        try:
            _process(record, context)
            continue
        except InvalidMessage as error:
            logger.error("message rejected", reason=str(error))
            retry = 0
        except DomainError as error:
            logger.warning("message failed, will be retried", reason=error.detail)
            retry = _retry_after(record)
        except Exception:
            logger.exception("message failed, will be retried")
            retry = _retry_after(record)
        failed.append({"itemIdentifier": record["messageId"]})
        aws.set_visibility_timeout(record["receiptHandle"], retry)
    if failed:
        metrics.emit(MessagesFailed=len(failed))
    return {"batchItemFailures": failed}


def _deliveries(record: dict[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _retry_after(record: dict[str, Any]) -> int:
    return RETRY_AFTER[min(_deliveries(record), len(RETRY_AFTER)) - 1]


def _process(record: dict[str, Any], context: Any) -> None:
    redelivered = _deliveries(record) > 1
    for file in files(record["body"]):
        # No statement timeout: the duration of a COPY depends on the chunk.
        with database.statement_timeout(0):
            out_of_time = begin_turn(lambda: context.get_remaining_time_in_millis() / 1000)
            if isinstance(file, Export):
                _process_export(file, redelivered, out_of_time)
            else:
                _process_upload(file, redelivered, out_of_time)


def _process_upload(upload: Upload, redelivered: bool, out_of_time: Callable[[], bool]) -> None:
    end = run_task(upload, redelivered, out_of_time)
    # The worker of a task that had ended may have died before these steps, or the owner may have cancelled
    # the task between two workers. Ignore first deliveries of messages from S3: a client can cause any number
    # of them by uploading again.
    has_ended = end.frees_owner or (end is End.NOT_RUNNING and (redelivered or not upload.announced))
    if has_ended:
        _dispatch_webhooks(upload.user_id)
    if end is End.HANDED_OVER:
        _send_message(upload.user_id, upload.task_id)
    elif has_ended:
        _start_next(upload.user_id)
    # Last, so that the owner's next task need not wait for it.
    if end.may_lack_results and not write_results_of_ended_task(upload, redelivered, out_of_time):
        _send_message(upload.user_id, upload.task_id)
    logger.info("task processed", task_id=str(upload.task_id), end=end.value)


def _process_export(export: Export, redelivered: bool, out_of_time: Callable[[], bool]) -> None:
    from worker.exports import run_export  # imports SQLAlchemy, which no upload needs

    if run_export(export, redelivered, out_of_time):
        _dispatch_webhooks(export.user_id)
    else:
        aws.enqueue(export.key)
    logger.info("export processed", export_id=str(export.export_id))


def _dispatch_webhooks(user_id: UUID) -> None:
    """Invoke the dispatcher if the user has a due delivery, which otherwise waits for its schedule."""
    if database.only("delivery_is_due", user_id=user_id)["is_due"]:
        aws.request_dispatch()


def _start_next(user_id: UUID) -> None:
    """Send a message for the owner's next waiting task."""
    if task := database.one("next_task", user_id=user_id):
        _send_message(user_id, task["id"])


def _send_message(user_id: UUID, task_id: UUID) -> None:
    """Send a task's message, unless one is under way. If that fails, SQS retries the current message."""
    with UnitOfWork() as uow:
        if uow.one("claim_message", id=task_id):
            aws.enqueue(aws.upload_key(user_id, task_id))
        uow.commit()
