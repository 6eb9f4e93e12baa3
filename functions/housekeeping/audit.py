"""Nightly audit: verify that the balance and the usage of every user match the ledger."""

from typing import Any

from shared.billing import audit

STATEMENT_TIMEOUT = 880.0
"""Seconds until Postgres cancels the statement, before the function times out."""


class LedgerMismatch(Exception):
    """A balance or usage does not match the ledger. `make audit` lists the users."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Run the audit, which changes nothing. An exception triggers the alarm on the function's errors.

    Raises:
        LedgerMismatch: the message names no user and no amount, because it is logged.
        ServiceUnavailable: the audit did not run, because the database can't be reached.
    """
    if audit.findings(STATEMENT_TIMEOUT):
        raise LedgerMismatch(LedgerMismatch.__doc__)
    return {"status": audit.PASSED}
