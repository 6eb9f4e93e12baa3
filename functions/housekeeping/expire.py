"""Every hour: delete expired rows, and cancel the tasks that nothing happens to.

Each statement takes a limited number of rows in a transaction of its own and skips those that another
transaction has locked, so a live call waits for one such statement at most.
"""

from typing import Any

from aws_lambda_powertools import Logger

from shared.database.connection import STATEMENT_TIMEOUT
from shared.database.unit_of_work import UnitOfWork

STATEMENTS = (
    "expire_idempotency_keys",
    "expire_sessions",
    "expire_rate_limits",
    "expire_tasks",
    "expire_task_errors",
)
MOST = 1000
"""Rows that a statement takes."""
MARGIN = STATEMENT_TIMEOUT + 5
"""Seconds of the function's time that must be left for another statement. The next hour does the rest."""

logger = Logger(service="restcalculator")


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Run each statement until it finds nothing more, or time is short.

    Returns:
        The rows that each has deleted or ended.

    Raises:
        ServiceUnavailable: the database is away; what was done stands.
    """
    with UnitOfWork() as uow:
        expired = {statement: _all_of(uow, statement, context) for statement in STATEMENTS}
    logger.info("housekeeping", extra=expired)
    return expired


def _all_of(uow: UnitOfWork, statement: str, context: Any) -> int:
    total = 0
    while context.get_remaining_time_in_millis() > MARGIN * 1000:
        rows = uow.only(statement, most=MOST)["rows"]
        total += rows
        if rows < MOST:
            break
    return total
