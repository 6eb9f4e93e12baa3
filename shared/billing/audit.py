"""Check that balances and usage match the ledger: `python -m shared.billing.audit`.

The audit verifies the ledger in steps and stores how far it came. The nightly audit verifies only the entries
since the last one; a full audit begins at the first entry. Both compare every user's balance and recent usage
with the verified entries. A user who does not match becomes a suspect. Suspects are checked completely, now
and each night until they match again.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared import database
from shared.database import Row, UnitOfWork
from shared.errors import DomainError

PASSED = "Every balance is the sum of its ledger entries, and usage matches the ledger."
"""The report of an audit without findings."""
PASSED_WITHOUT_USAGE = (
    "Every balance is the sum of its ledger entries. Usage was not compared: the usage of charges from before"
    " the upgrade is still being counted."
)
"""The report of an audit without findings that began before the end of the backfill of usage."""
AUDIT_TIMEOUT = 3600.0
"""Seconds. Postgres sends no byte before a statement ends, so without a statement timeout the connection
would time out after a minute."""
PROGRESS_SECONDS = 10.0
"""Seconds between two lines that report the progress."""
LINES_LIMIT = 1000
"""Maximum number of findings: the response of a Lambda function is limited to 6 MB."""
ENTRIES_LIMIT = 200_000
"""Ledger entries that one step verifies."""
USERS_LIMIT = 1000
"""Users that one step compares."""
SUSPECTS_LIMIT = 100
"""Suspects that one statement checks completely. It reads all their entries."""
SUSPECTS_SECONDS = 60.0
"""Seconds after which the check of suspects begins no further statement. The rest is only counted."""
SETTLED_SECONDS = 3600.0
"""Minimum age of an entry that the audit marks as verified. A transaction assigns `seq` before it commits, so
an entry with a lower `seq` may still appear while a transaction runs: at most the 15 minutes of a worker."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit came: the last verified and the newest entry's `seq`, and whether it is finished."""

    verified: int
    newest: int
    is_finished: bool

    def __str__(self) -> str:
        return f"Verified the ledger up to entry {self.verified:,} of {self.newest:,}."


def advance(seconds: float) -> Progress:
    """Verify the entries since the last audit and compare all users, or stop after this many seconds.

    The next call continues where this one stopped. Each step is a transaction of its own.

    Raises:
        DomainError: as `Database.run`.
    """
    deadline = time.monotonic() + seconds
    while True:
        progress = _step()
        if progress.is_finished or time.monotonic() >= deadline:
            return progress


def _step() -> Progress:
    """Verify the next entries. If none remain, compare the next users."""
    with UnitOfWork() as uow:
        newest = uow.only("lock_audit")["newest_seq"]
        entries = uow.only("audit_entries", row_limit=ENTRIES_LIMIT, settled_seconds=SETTLED_SECONDS)
        is_finished = False
        if entries["rows"] < ENTRIES_LIMIT:
            is_finished = uow.only("audit_users", row_limit=USERS_LIMIT)["rows"] < USERS_LIMIT
        uow.commit()
    return Progress(entries["verified_seq"], newest, is_finished)


def check_suspects() -> list[str]:
    """Return a line for each suspect whose balance or usage does not match the ledger, and clear the others.

    Raises:
        DomainError: as `Database.run`.
    """
    deadline = time.monotonic() + SUSPECTS_SECONDS
    lines = list[str]()
    after: UUID | None = None
    unchecked = 0
    while suspects := database.run("audit_suspects", after=after, row_limit=SUSPECTS_LIMIT):
        ids = [row["user_id"] for row in suspects]
        wrong = database.run("audit", user_ids=ids)
        if correct := set(ids) - {row["id"] for row in wrong}:
            database.run("clear_suspects", user_ids=list(correct))
        lines += map(_line, wrong)
        after = ids[-1]
        unchecked = suspects[0]["remaining"] - len(ids)
        if len(lines) >= LINES_LIMIT or time.monotonic() >= deadline:
            break
    more = unchecked + len(lines[LINES_LIMIT:])
    return [*lines[:LINES_LIMIT], *([f"… and {more} more"] if more else [])]


def usage_is_counted() -> bool:
    """Return whether past usage is counted, so that the audit compares usage. Raises: as `Database.run`."""
    return bool(database.only("usage_is_counted")["counted"])


def restart(uow: UnitOfWork, *, is_full: bool) -> None:
    """Make the audit begin again at the first entry. Call it in the transaction of lock_audit.

    Args:
        is_full: begin a full audit; otherwise, an unfinished full audit stays one.
    """
    uow.run("forget_audit_points")
    uow.run("restart_audit", is_full=is_full)


def continue_full_audit(seconds: float) -> tuple[Progress, list[str]]:
    """Continue the unfinished full audit, or begin one, and stop after about this many seconds.

    Returns:
        The progress, and, if it is finished, a line for each user whose balance or usage does not match.

    Raises:
        DomainError: as `Database.run`. The next call continues.
    """
    with UnitOfWork() as uow:
        if not uow.only("lock_audit")["is_full"]:
            restart(uow, is_full=True)
        uow.commit()
    progress = advance(seconds)
    if not progress.is_finished:
        return progress, []
    lines = check_suspects()
    database.run("end_full_audit")
    return progress, lines


def findings() -> list[str]:
    """Run a full audit to its end, with its progress on stderr, and return its findings.

    Raises:
        DomainError: as `Database.run`.
    """
    with database.statement_timeout(AUDIT_TIMEOUT):
        while True:
            progress, lines = continue_full_audit(PROGRESS_SECONDS)
            if progress.is_finished:
                return lines
            print(progress, file=sys.stderr)


def passed(usage_counted: bool) -> str:
    """Return the report of an audit without findings, given whether past usage was counted when it began."""
    return PASSED if usage_counted else PASSED_WITHOUT_USAGE


def report(findings: Sequence[str], usage_counted: bool) -> int:
    """Print the findings and return the exit status: 0 without findings, otherwise 1."""
    for line in findings:
        print(line)
    print("Balances or usage do not match the ledger." if findings else passed(usage_counted))
    return 1 if findings else 0


def main() -> int:
    """Run a full audit and return the exit status: as `report`, or 2 if the audit failed."""
    try:
        usage_counted = usage_is_counted()
        return report(findings(), usage_counted)
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
