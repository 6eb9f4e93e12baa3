"""The connection to Postgres, the unit of work, the tables and the fixed SQL.

Statements reach Postgres in two ways: `database.run(…)` and its siblings run one statement as its own
transaction, and `database.UnitOfWork` runs several in one transaction.
"""

from shared.database.connection import STATEMENT_TIMEOUT, Row, statement_text
from shared.database.statements import (
    Statements,
    copy_out,
    dispose_connections,
    one,
    only,
    prepared,
    query,
    run,
    statement_timeout,
)
from shared.database.unit_of_work import UnitOfWork

__all__ = [
    "STATEMENT_TIMEOUT",
    "Row",
    "Statements",
    "UnitOfWork",
    "copy_out",
    "dispose_connections",
    "one",
    "only",
    "prepared",
    "query",
    "run",
    "statement_text",
    "statement_timeout",
]
