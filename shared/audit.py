"""`make audit`: prove for every user that the balance is the sum of the ledger. Exits 1 naming who is off."""

import sys

from shared.billing import audit
from shared.errors import DomainError
from shared.unit_of_work import UnitOfWork


def main() -> int:
    """Print each user whose money is off; 0 when there is none, 1 when there is, 2 when unknown."""
    try:
        with UnitOfWork(statement_timeout=0) as uow:
            off = audit(uow)
    except DomainError as error:
        print(f"The audit could not be made: {error.detail}", file=sys.stderr)
        return 2
    for row in off:
        where = f", chain broken at entry {row['broken_at']}" if row["broken_at"] else ""
        print(
            f"OFF {row['id']} {row['email']}: balance {row['balance']}, ledger's sum {row['ledger_total']},"
            f" newest balance_after {row['ledger_newest']}{where}"
        )
    print("The ledger is off." if off else "Every balance is the sum of its ledger entries.")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
