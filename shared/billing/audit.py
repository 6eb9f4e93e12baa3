"""Check that balances and usage match the ledger: `python -m shared.billing.audit`."""

import sys
from collections.abc import Sequence

from shared import database
from shared.billing.charges import audit
from shared.database import Row
from shared.errors import DomainError

PASSED = "Every balance is the sum of its ledger entries, and usage matches the ledger."
"""The report of an audit without findings."""
AUDIT_TIMEOUT = 3600.0
"""Seconds. Postgres sends no byte before the audit ends, so without a statement timeout the connection would
time out after a minute."""
LINES_LIMIT = 1000
"""Maximum number of findings: the response of a Lambda function is limited to 6 MB."""


def findings(statement_timeout: float = AUDIT_TIMEOUT) -> list[str]:
    """Return a line for each user whose balance or usage does not match the ledger.

    Args:
        statement_timeout: seconds that the audit may take.

    Raises:
        DomainError: as `Database.run`.
    """
    with database.statement_timeout(statement_timeout):
        rows = audit()
    lines = [_line(row) for row in rows[:LINES_LIMIT]]
    return lines if len(rows) <= LINES_LIMIT else [*lines, f"… and {len(rows) - LINES_LIMIT} more"]


def report(findings: Sequence[str]) -> int:
    """Print the findings and return the exit status: 0 without findings, otherwise 1."""
    for line in findings:
        print(line)
    print("Balances or usage do not match the ledger." if findings else PASSED)
    return 1 if findings else 0


def main() -> int:
    """Run the audit and return the exit status: as `report`, or 2 if the audit failed."""
    try:
        return report(findings())
    except DomainError as error:
        print(f"The audit failed: {error.detail}", file=sys.stderr)
        return 2


def _line(row: Row) -> str:
    details = f", chain broken at entry {row['broken_at']}" if row["broken_at"] else ""
    if row["usage_spent"] != row["ledger_spent"]:
        details += f", usage {row['usage_spent']}, charges less refunds {row['ledger_spent']}"
    return (
        f"MISMATCH {row['id']} {row['email']}: balance {row['balance']}, ledger's sum {row['ledger_total']},"
        f" newest balance_after {row['ledger_newest']}{details}"
    )


if __name__ == "__main__":
    sys.exit(main())
