"""Every night: prove for every user that the balance is the sum of the ledger."""

from typing import Any

from shared.billing import audit

STATEMENT_TIMEOUT = 880.0
"""Seconds: Postgres gives up before the function must."""


class BooksAreOff(Exception):
    """Somebody's money is not what the ledger says; `make audit` says whose."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Look, and change nothing. What this raises counts as an error of the function, which has an alarm.

    Raises:
        BooksAreOff: no name or sum is told, for the log keeps it.
        ServiceUnavailable: nobody knows, for the database can't be asked.
    """
    if audit.findings(STATEMENT_TIMEOUT):
        raise BooksAreOff(BooksAreOff.__doc__)
    return {"status": "Every balance is the sum of its ledger entries."}
