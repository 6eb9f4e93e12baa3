"""Single statements, each its own transaction in one round trip, over the kept connection.

This module owns the connections that the process keeps: one for each thread and statement timeout. Outside
the tests, only one thread runs statements.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from typing import Any, Protocol

from shared.database.connection import STATEMENT_TIMEOUT, Database, Row
from shared.settings import settings

_kept: dict[tuple[int, float], Database] = {}
_timeout = ContextVar("statement_timeout", default=STATEMENT_TIMEOUT)


class Statements(Protocol):
    """The part that the module `shared.database` and `UnitOfWork` have in common.

    A function that takes it runs its statement alone or in the caller's transaction, as the caller chooses.
    """

    def run(self, name: str, /, **parameters: Any) -> list[Row]: ...
    def one(self, name: str, /, **parameters: Any) -> Row | None: ...
    def only(self, name: str, /, **parameters: Any) -> Row: ...


def run(name: str, /, **parameters: Any) -> list[Row]:
    """Run the fixed statement `shared/database/sql/<name>.sql` and return all its rows.

    Raises: as `Database.run`; RuntimeError inside a unit of work.
    """
    return _single().run(name, **parameters)


def one(name: str, /, **parameters: Any) -> Row | None:
    """Return the row of a fixed statement that returns at most one. Raises: as `run`."""
    return first(run(name, **parameters))


def only(name: str, /, **parameters: Any) -> Row:
    """Return the row of a fixed statement that always returns one. Raises: as `run`."""
    (row,) = run(name, **parameters)
    return row


def prepared(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Run a statement of one of a few texts, which is prepared once per connection. Raises: as `run`."""
    return _single().prepared(sql, parameters)


def query(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Run a statement that was built for these parameters. Raises: as `run`."""
    return _single().query(sql, parameters)


def copy_out(sql: str, sink: Any) -> int:
    """Run `COPY … TO STDOUT` into `sink.write(bytes)`, and return the number of rows. Raises: as `run`."""
    return _single().copy_out(sql, sink)


@contextmanager
def statement_timeout(seconds: float) -> Iterator[None]:
    """Run the block's statements and units of work with another timeout than STATEMENT_TIMEOUT.

    They use a connection of their own, because a timeout belongs to a connection.

    Args:
        seconds: until Postgres cancels a statement; 0 for never, as for a COPY of unknown duration.
    """
    token = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(token)


def kept_connection() -> Database:
    """Return the kept connection of this thread and statement timeout."""
    seconds = _timeout.get()
    key = (get_ident(), seconds)
    if key not in _kept:
        _kept[key] = Database(settings().database_url(), seconds)
    return _kept[key]


def dispose_connections() -> None:
    """Close and forget every kept connection."""
    for database in _kept.values():
        database.dispose()
    _kept.clear()


def first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _single() -> Database:
    """Return the kept connection for a transaction of one statement."""
    database = kept_connection()
    if database.has_unit_of_work:
        raise RuntimeError(
            "A unit of work is open: run the statement with it, as `uow.run(…)`, or after its block."
        )
    return database
