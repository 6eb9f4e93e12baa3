"""The unit of work: what a request or a chunk does to the database, kept only if it says so."""

from types import TracebackType
from typing import Any, Self

from shared.database.connection import STATEMENT_TIMEOUT, Database, Row
from shared.settings import settings

_databases: dict[float, Database] = {}


class UnitOfWork:
    """`with UnitOfWork() as uow:` — hands out statements over the process's one connection.

    A fixed statement is a transaction of its own, in one round trip. For several in one, call
    `begin()`, and `commit()` at the end: whatever is not committed is rolled back on the way out.

    Args:
        statement_timeout: seconds a statement may take; 0 for no limit, as long as bytes come or go
            (a COPY: see `COPY_SILENCE`).
    """

    def __init__(self, statement_timeout: float = STATEMENT_TIMEOUT) -> None:
        if statement_timeout not in _databases:
            url = settings().aws_pgsql_path.get_secret_value()
            _databases[statement_timeout] = Database(url, statement_timeout)
        self.database = _databases[statement_timeout]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.database.in_transaction:
            self.database.rollback()

    def begin(self) -> None:
        self.database.begin()

    def commit(self) -> None:
        self.database.commit()

    def all(self, statement: str, /, **parameters: Any) -> list[Row]:
        """Every row of a fixed statement. Raises: as `Database.run`."""
        return self.database.run(statement, **parameters)

    def only(self, statement: str, /, **parameters: Any) -> Row:
        """The row of a fixed statement that always has one. Raises: as `Database.run`."""
        (row,) = self.database.run(statement, **parameters)
        return row

    def one(self, statement: str, /, **parameters: Any) -> Row | None:
        """The row of a fixed statement that has one at the most. Raises: as `Database.run`."""
        rows = self.database.run(statement, **parameters)
        return rows[0] if rows else None


def dispose_connections() -> None:
    """Close every connection of this process: a test is done with its database."""
    for database in _databases.values():
        database.dispose()
    _databases.clear()
