"""The unit of work: one transaction of several statements."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from shared.database.connection import Database, Row
from shared.database.statements import first, kept_connection


class UnitOfWork:
    """One transaction: `with UnitOfWork() as uow:`. `uow.commit()` commits it, otherwise it is rolled back.

    The transaction begins at the first statement, so a block that runs none costs no round trip. It ends with
    `commit()`, or when a statement fails. After that, only a new unit of work can run statements.
    """

    def __enter__(self) -> Self:
        """Reserve the kept connection. Raises: RuntimeError if another unit of work has it."""
        self._database = kept_connection()
        if self._database.has_unit_of_work:
            raise RuntimeError("A unit of work is open: pass it on instead of opening another one.")
        self._database.has_unit_of_work = True
        self._has_ended = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.has_unit_of_work = False
        if self._database.in_transaction:
            self._database.rollback()

    def run(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run the fixed statement `shared/database/sql/<name>.sql` and return all its rows.

        Raises: as `Database.run`; RuntimeError if the transaction has ended.
        """
        with self._transaction() as database:
            return database.run(name, **parameters)

    def one(self, name: str, /, **parameters: Any) -> Row | None:
        """Return the row of a fixed statement that returns at most one. Raises: as `run`."""
        return first(self.run(name, **parameters))

    def only(self, name: str, /, **parameters: Any) -> Row:
        """Return the row of a fixed statement that always returns one. Raises: as `run`."""
        (row,) = self.run(name, **parameters)
        return row

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement that was built for these parameters. Raises: as `run`."""
        with self._transaction() as database:
            return database.query(sql, parameters)

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> None:
        """Run `COPY … FROM STDIN` with blocks of whole rows. Raises: as `run`."""
        with self._transaction() as database:
            database.copy_in(sql, blocks)

    def commit(self) -> None:
        """Commit the transaction. Raises: as `run`.

        If it raises because the connection broke, Postgres may have committed.
        """
        self._check_not_ended()
        self._has_ended = True
        if self._database.in_transaction:
            self._database.commit()

    @contextmanager
    def _transaction(self) -> Iterator[Database]:
        """Begin the transaction at its first statement, and end it when a statement fails."""
        self._check_not_ended()
        try:
            if not self._database.in_transaction:
                self._database.begin()
            yield self._database
        except BaseException:
            self._has_ended = True
            raise

    def _check_not_ended(self) -> None:
        if self._has_ended:
            raise RuntimeError("This unit of work has ended. Open another one for further statements.")
