"""Nightly audit: verify the ledger since the last one, and that balances and usage match it."""

from typing import Any

from aws_lambda_powertools import Logger

from shared import database
from shared.billing import audit

SECONDS = 700.0
"""Seconds after which the function begins no further step. The next night continues."""
STATEMENT_TIMEOUT = 60.0
"""Seconds until Postgres cancels a statement. The function takes at most 880 s of its 900: SECONDS, one more
step, 60 s for the check of suspects, and one more statement of it."""

logger = Logger(service="restcalculator")


class LedgerMismatch(Exception):
    """A balance or usage does not match the ledger. `make audit` lists the users."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Run the audit, which moves no money. An exception triggers the alarm on the function's errors.

    Raises:
        LedgerMismatch: the message names no user and no amount, because it is logged.
        ServiceUnavailable: the audit did not run, because the database can't be reached.
    """
    with database.statement_timeout(STATEMENT_TIMEOUT):
        usage_counted = audit.usage_is_counted()
        progress = audit.advance(SECONDS)
        has_findings = bool(audit.check_suspects())
    logger.info(str(progress), extra={"finished": progress.is_finished})
    if has_findings:
        raise LedgerMismatch(LedgerMismatch.__doc__)
    return {
        "status": audit.passed(usage_counted)
        if progress.is_finished
        else f"{progress} The next audit continues."
    }
