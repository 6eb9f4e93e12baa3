"""`python -m shared.billing.audit`: prove for every user that the balance is the sum of the ledger."""

import sys
from collections.abc import Sequence

from shared.billing.charges import audit
from shared.database.connection import Row
from shared.database.unit_of_work import UnitOfWork
from shared.errors import DomainError

PATIENCE = 3600.0
"""Seconds: an audit sends no byte before it is made, so without a limit its silence would be taken for a
server that is gone."""
MOST_TOLD = 1000
"""Lines: more tell nobody more, and a Lambda function's answer has its limit."""


def findings(statement_timeout: float = PATIENCE) -> list[str]:
    """A line for each user whose money is off; none when all is well.

    Args:
        statement_timeout: seconds that the audit may take.

    Raises:
        DomainError: as `Database.run`.
    """
    with UnitOfWork(statement_timeout) as uow:
        off = audit(uow)
    lines = [_line(row) for row in off[:MOST_TOLD]]
    return lines if len(off) <= MOST_TOLD else [*lines, f"… and {len(off) - MOST_TOLD} more"]


def report(off: Sequence[str]) -> int:
    """Print what was found; the exit status: 0 when nothing was, else 1."""
    for line in off:
        print(line)
    print("The ledger is off." if off else "Every balance is the sum of its ledger entries.")
    return 1 if off else 0


def main() -> int:
    """The exit status: as `report`, and 2 when it is unknown."""
    try:
        return report(findings())
    except DomainError as error:
        print(f"The audit could not be made: {error.detail}", file=sys.stderr)
        return 2


def _line(row: Row) -> str:
    where = f", chain broken at entry {row['broken_at']}" if row["broken_at"] else ""
    return (
        f"OFF {row['id']} {row['email']}: balance {row['balance']}, ledger's sum {row['ledger_total']},"
        f" newest balance_after {row['ledger_newest']}{where}"
    )


if __name__ == "__main__":
    sys.exit(main())
