"""Hourly cleanup: delete expired rows, cancel abandoned tasks, and continue the backfill of usage.

Each statement processes a limited number of rows in its own transaction and skips rows that another
transaction has locked, so a request waits for at most one such statement.
"""

from typing import Any

from aws_lambda_powertools import Logger

from shared import database
from shared.billing import usage_backfill
from shared.database import STATEMENT_TIMEOUT

STATEMENTS = (
    "expire_idempotency_keys",
    "expire_sessions",
    "expire_rate_limits",
    "expire_tasks",
    "expire_task_errors",
    "expire_exports",
    "expire_webhook_events",
)
ROWS_LIMIT = 1000
"""Rows that one statement processes."""
MARGIN = STATEMENT_TIMEOUT + 5
"""Seconds that must be left to start another statement. The next run processes the remaining rows."""

logger = Logger(service="restcalculator")


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Run each statement until no rows remain or time is short. Use the rest of the time for the backfill.

    Returns:
        The number of rows that each statement deleted or cancelled.

    Raises:
        ServiceUnavailable: the database can't be reached; earlier statements stay committed.
    """
    expired = {statement: _all_of(statement, context) for statement in STATEMENTS}
    seconds = context.get_remaining_time_in_millis() / 1000 - usage_backfill.MARGIN
    usage_counted = seconds > 0 and usage_backfill.advance(seconds)
    logger.info("housekeeping", extra={**expired, "usage_counted": usage_counted})
    return expired


def _all_of(statement: str, context: Any) -> int:
    total = 0
    while context.get_remaining_time_in_millis() > MARGIN * 1000:
        rows = database.only(statement, row_limit=ROWS_LIMIT)["rows"]
        total += rows
        if rows < ROWS_LIMIT:
            break
    return total
