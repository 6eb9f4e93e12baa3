"""The Lambda that SQS invokes: each message's uploads, billed."""

from typing import Any

from aws_lambda_powertools import Logger

from shared import aws
from shared.errors import DomainError
from shared.unit_of_work import UnitOfWork
from worker.batch import End, run_task
from worker.messages import NotUnderstood, uploads

logger = Logger(service="restcalculator")

WAIT = 5
"""Seconds after which a task looks again whether its owner's other one has ended."""
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
        except NotUnderstood as error:
            logger.error("message not understood", reason=str(error))
            failed.append({"itemIdentifier": record["messageId"]})
        except DomainError as error:
            logger.warning("message comes again", reason=error.detail)
            failed.append({"itemIdentifier": record["messageId"]})
        except Exception:
            logger.exception("message comes again")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


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
