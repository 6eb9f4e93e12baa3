"""The Lambda that SQS invokes: each message's uploads, billed."""

from typing import Any

from aws_lambda_powertools import Logger

from shared import aws, metrics
from shared.errors import DomainError
from shared.unit_of_work import UnitOfWork
from worker.batch import End, run_task
from worker.messages import NotUnderstood, uploads

logger = Logger(service="restcalculator")

WAIT = 5
"""Seconds after which a task looks again whether its owner's other one has ended."""
RETRY_AFTER = (10, 60, 6 * 60, 36 * 60)
"""Seconds until a message that failed comes again, the first time and the next: 43 minutes in all for
an outage to pass. Left alone it would be out of sight for the queue's visibility timeout, 90 minutes."""
PING = 60
"""Seconds after which a worker that was taken over looks again whether the task goes on."""


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Work off the messages of one invocation.

    Returns:
        The messages that failed, in the form that SQS's partial batch responses have: they come
        again, and go to the dead-letter queue after five times.
    """
    failed = []
    for record in event["Records"]:
        logger.set_correlation_id(record["messageId"])
        try:
            _work_off(record["body"], context)
            continue
        except NotUnderstood as error:
            logger.error("message not understood", reason=str(error))
            retry = 0
        except DomainError as error:
            logger.warning("message comes again", reason=error.detail)
            retry = _retry_after(record)
        except Exception:
            logger.exception("message comes again")
            retry = _retry_after(record)
        failed.append({"itemIdentifier": record["messageId"]})
        aws.show_again(record["receiptHandle"], retry)
    if failed:
        metrics.emit(MessagesFailed=len(failed))
    return {"batchItemFailures": failed}


def _retry_after(record: dict[str, Any]) -> int:
    received = int(record["attributes"]["ApproximateReceiveCount"])
    return RETRY_AFTER[min(received, len(RETRY_AFTER)) - 1]


def _work_off(body: str, context: Any) -> None:
    for upload in uploads(body):
        # No limit on a statement: COPY takes as long as it takes.
        with UnitOfWork(statement_timeout=0) as uow:
            end = run_task(uow, upload, lambda: context.get_remaining_time_in_millis() / 1000)
        if end is End.HANDED_OVER:
            aws.enqueue(upload.key)
        elif end is End.WAITING:
            aws.enqueue(upload.key, delay=WAIT)
        elif end is End.TAKEN_OVER:
            # The other worker's message may be this very one, which is deleted after us: leave
            # another, so that the task is looked after even if that worker dies.
            aws.enqueue(upload.key, delay=PING)
        logger.info("task left", task_id=str(upload.task_id), end=end.value)
