"""Every five minutes: send messages for the tasks whose message was lost.

A worker that ends a task starts its owner's next one, and SQS retries what fails. This is the net beneath
both: for a worker that died at the wrong moment, and for messages that ended in the dead-letter queue.
"""

from typing import Any

from aws_lambda_powertools import Logger

from shared import aws
from shared.database.connection import STATEMENT_TIMEOUT
from shared.database.unit_of_work import UnitOfWork

MOST = 10
"""Tasks that one transaction locks while their messages are sent."""
MARGIN = STATEMENT_TIMEOUT + 20
"""Seconds of the function's time that must be left to begin another transaction."""

logger = Logger(service="restcalculator")


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Send the messages.

    Returns:
        How many were sent.

    Raises:
        ServiceUnavailable: the database or SQS can't be reached. Nothing is recorded as sent that was not.
    """
    sent = 0
    while context.get_remaining_time_in_millis() > MARGIN * 1000:
        with UnitOfWork() as uow:
            uow.begin()
            tasks = uow.all("restart_tasks", most=MOST)
            for task in tasks:
                aws.enqueue(aws.upload_key(task["user_id"], task["id"]))
            uow.commit()
        sent += len(tasks)
        if len(tasks) < MOST:
            break
    logger.info("tasks restarted", extra={"sent": sent})
    return {"sent": sent}
