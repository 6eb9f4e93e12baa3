"""The backfill: count the usage of charges from before version 1.2, which did not count it.

The migrate function begins it after the migration, and the hourly cleanup continues it. It counts the newest
entries first, because users read recent usage. Each batch is a transaction of its own that also moves the
position, so an interrupted backfill counts no entry twice. Remove it together with the trigger `count_usage`.
"""

import time
from contextlib import suppress

from shared.billing import audit
from shared.database import STATEMENT_TIMEOUT, UnitOfWork
from shared.errors import ServiceUnavailable

ROWS_LIMIT = 5_000
"""Ledger entries or records that one batch counts, and at most one chunk of a file more. While a batch runs,
calls wait that add to the same user's usage in the same hour, which is the hour of the migration."""
ATTEMPTS = 3
"""Maximum number of runs of a batch that waits too long for a lock."""
MARGIN = ATTEMPTS * STATEMENT_TIMEOUT + 5
"""Seconds that the last batch may take."""


def advance(seconds: float) -> bool:
    """Count batches until none is left, or stop after this many seconds. Return whether all usage is counted.

    Raises:
        ServiceUnavailable: a batch failed; earlier ones stay committed.
    """
    deadline = time.monotonic() + seconds
    while _count_and_retry() > 0:
        if time.monotonic() >= deadline:
            return False
    return True


def _count_and_retry() -> int:
    for _ in range(ATTEMPTS - 1):
        with suppress(ServiceUnavailable):
            return _count()
    return _count()


def _count() -> int:
    """Count a batch and return the number of its ledger entries. If none remained, end the backfill."""
    with UnitOfWork() as uow:
        if uow.one("lock_usage_backfill") is None:
            return 0
        entries: int = uow.only("count_past_usage", row_limit=ROWS_LIMIT)["entries"]
        if entries == 0:
            # The audit has not compared the usage of the entries that it has verified.
            uow.run("end_usage_backfill")
            uow.run("lock_audit")
            audit.restart(uow, is_full=False)
        uow.commit()
    return entries
