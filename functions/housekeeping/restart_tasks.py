"""Every five minutes, send messages for tasks and exports whose message was lost.

Usually the worker that ends a task starts its owner's next one and writes the results, and SQS retries failed
messages. This function covers the rest: workers that died between these steps, and messages in the
dead-letter queue.
"""

from typing import Any

from aws_lambda_powertools import Logger

from shared import aws
from shared.database import STATEMENT_TIMEOUT, Row, UnitOfWork

STATEMENTS = ("restart_tasks", "restart_results", "restart_exports")
"""They select unfinished tasks, tasks that have ended but lack their results, and exports to write."""
TASKS_LIMIT = 10
"""Tasks that one transaction locks while it sends their messages."""
MARGIN = STATEMENT_TIMEOUT + 20
"""Seconds that must be left to start another transaction."""

logger = Logger(service="restcalculator")


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Send the messages.

    Returns:
        The number of messages sent.

    Raises:
        ServiceUnavailable: the database or SQS can't be reached. No unsent message is recorded as sent.
    """
    sent = 0
    for statement in STATEMENTS:
        while context.get_remaining_time_in_millis() > MARGIN * 1000:
            found = _restart(statement)
            sent += found
            if found < TASKS_LIMIT:
                break
    logger.info("tasks restarted", extra={"sent": sent})
    return {"sent": sent}


def _restart(statement: str) -> int:
    """Send the messages of the rows that a statement selects, and return their number."""
    with UnitOfWork() as uow:
        rows = uow.run(statement, row_limit=TASKS_LIMIT)
        for row in rows:
            aws.enqueue(_key(row))
        uow.commit()
    return len(rows)


def _key(row: Row) -> str:
    """Return the S3 key of an export, whose row has a format, or of a task's upload."""
    if "format" in row:
        return aws.export_key(row["user_id"], row["id"], row["format"])
    return aws.upload_key(row["user_id"], row["id"])
