"""One connection to Postgres, made at the first statement and kept for the life of the process.

A Lambda container serves one request at a time, so it needs one connection and no pool. Fixed
statements (`shared/database/sql/`) are prepared once per connection: one round trip each from then on.
"""

import select
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from shared.database.pg8000_patches import Connection
from shared.database.url import PostgresUrl
from shared.errors import (
    Conflict,
    DomainError,
    InternalError,
    InvalidInput,
    ServiceUnavailable,
    StatementTimeout,
)
from shared.tracing import subsegment

Row = dict[str, Any]

CONNECT_TIMEOUT = 3.0
"""Seconds to reach the server, and seconds for it to take us in."""
PROBE_TIMEOUT = 1.0
"""Seconds for a connection that idled to show that it is alive; a new one is quicker than more patience."""
STATEMENT_TIMEOUT = 10.0
"""Seconds that a statement may take in a function; then the server ends it and we answer 503."""
SILENCE_MARGIN = 0.5
"""Seconds more, after which a server that should have ended a statement is taken for gone. All of these
together end within the functions' 15 seconds: it is we who answer, not the gateway."""
COPY_SILENCE = 60.0
"""Seconds without a byte, where a statement has no limit."""
IDLE_LIMIT = 30.0
"""Seconds after which a connection is tried before use: Lambda freezes, networks forget."""

# SQLSTATE classes and codes that say "not now" (PostgreSQL manual, appendix A): connection,
# resources, operator intervention, system error, read-only, lock, serialization and deadlock.
_NOT_NOW = ("08", "53", "57", "58", "25006", "55P03", "40")
# What a prepared statement says after a migration or behind a proxy: prepare it anew.
_STALE = ("0A000", "26000")
# Values that Postgres can't hold: a NUL in text, a number past numeric's range.
_UNSTORABLE = ("22003", "22021", "22P05", "22P02", "22007", "22008")

# A violated constraint's name, and what it means to the caller.
_CONSTRAINTS: Mapping[str, DomainError] = {
    "users_email_living_key": Conflict("That e-mail has an account already."),
    "operations_type_living_key": Conflict("That operation has a price already."),
    "idempotency_keys_pkey": Conflict("A request with this idempotency key is still running."),
}


class _Link(NamedTuple):
    connection: Connection
    socket: socket.socket


class Database:
    """The process's connection and its prepared statements.

    RDS Proxy lends a server connection for one transaction, and pins it to the client for good if the
    client leaves state in the session. So by a proxy's URL statements are not prepared, and no
    `statement_timeout` is sent, which the proxy rejects in a startup message: its initialization query
    sets STATEMENT_TIMEOUT (resources/database/proxy.yml).

    Args:
        url: where the server is.
        statement_timeout: seconds; 0 for none, when only COPY_SILENCE limits the wait (the worker's COPY).
    """

    def __init__(self, url: str, statement_timeout: float = STATEMENT_TIMEOUT) -> None:
        self._url = url
        self._proxied = PostgresUrl.parse(url).proxied
        self._statement_timeout = statement_timeout
        self._link: _Link | None = None
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self._used_at = 0.0
        self.in_transaction = False

    def run(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run the fixed statement `shared/database/sql/<name>.sql`; its own transaction unless in one.

        Raises:
            ServiceUnavailable: the server can't be reached, or can't do it now.
            DomainError: what a violated constraint stands for.
        """
        text = statement_text(name)  # before _guarded: a missing file is no server error
        if self._proxied:
            return self._execute(text, name, **parameters)
        with self._guarded(name):
            statement = self._statement(text)
            try:
                rows = statement.run(**parameters)
            except DatabaseError as error:
                # A stale statement failed before it did anything, so it can be run again.
                if self.in_transaction or _field(error, "C") not in _STALE:
                    raise
                self.dispose()
                statement = self._statement(text)
                rows = statement.run(**parameters)
        return _rows(statement.columns, rows)

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement that was built (lists): planned for these very values, not prepared.

        Raises: as `run`.
        """
        return self._execute(sql, **parameters)

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> None:
        """`COPY … FROM STDIN` of ready-made blocks of rows. Raises: as `run`."""
        self._execute(sql, stream=blocks)

    def copy_out(self, sql: str, sink: Any, **parameters: Any) -> None:
        """`COPY … TO STDOUT` into `sink.write(bytes)`. Raises: as `run`."""
        self._execute(sql, stream=sink, **parameters)

    def begin(self) -> None:
        """Begin a transaction of several statements."""
        self._execute("BEGIN")
        self.in_transaction = True

    def commit(self) -> None:
        """Keep what the transaction did. Raises: as `run`; then nothing may be assumed kept."""
        try:
            self._execute("COMMIT")
        finally:
            self.in_transaction = False

    def rollback(self) -> None:
        """Undo what the transaction did; a connection that can't is closed, which undoes it too."""
        self.in_transaction = False
        try:
            if self._link is not None:
                self._link.connection.run("ROLLBACK")
        except (DatabaseError, InterfaceError, OSError):
            self.dispose()

    def dispose(self) -> None:
        """Close the connection, as after a lost server; the next statement makes a new one."""
        link, self._link = self._link, None
        self._prepared.clear()
        self.in_transaction = False
        if link is not None:
            with suppress(Exception):
                link.connection.close()

    def _execute(self, sql: str, name: str = "", /, **arguments: Any) -> list[Row]:
        with self._guarded(name or sql.split(None, 1)[0]):
            connection = self._live()
            rows = connection.run(sql, **arguments)
        return _rows(connection.columns, rows)

    @contextmanager
    def _guarded(self, statement: str) -> Iterator[None]:
        """Trace a statement by this name, and translate the driver's errors."""
        try:
            with subsegment("postgres", sql={"sanitized_query": statement, "database_type": "PostgreSQL"}):
                yield
        except (DatabaseError, InterfaceError, OSError) as error:
            raise self._translated(error) from None
        except BaseException:
            # The driver stopped midway (a value that it can't encode, a COPY's source that failed, a
            # time limit): the next statement on this connection would read this one's answer.
            self.dispose()
            raise

    def _statement(self, text: str) -> pg8000.native.PreparedStatement:
        connection = self._live()
        statement = self._prepared.get(text)
        if statement is None:
            statement = self._prepared[text] = connection.prepare(text)
        return statement

    def _live(self) -> Connection:
        if self._link is not None and not self.in_transaction and not self._alive(self._link):
            self.dispose()
        if self._link is None:
            self._link = self._connect()
        self._used_at = time.monotonic()
        return self._link.connection

    def _alive(self, link: "_Link") -> bool:
        """Whether the connection can be used. Bytes that wait unasked mean a farewell, so: ask."""
        idle = time.monotonic() - self._used_at
        if idle < IDLE_LIMIT and not select.select([link.socket], [], [], 0)[0]:
            return True
        link.socket.settimeout(PROBE_TIMEOUT)
        try:
            link.connection.run("SELECT 1")
        except (DatabaseError, InterfaceError, OSError):
            return False
        link.socket.settimeout(self._patience)
        return True

    def _connect(self) -> "_Link":
        url = PostgresUrl.parse(self._url)
        raw = url.open_socket(CONNECT_TIMEOUT)
        timeout = {"statement_timeout": str(int(self._statement_timeout * 1000))}
        try:
            connection = Connection(
                url.user,
                host=url.host,
                database=url.database,
                password=url.password,
                sock=raw,
                ssl_context=url.tls_context() if url.tls else False,
                application_name="restcalculator",
                startup_params={} if url.proxied else timeout,
            )
        except BaseException:
            raw.close()
            raise
        link = _Link(connection, connection._usock)
        link.socket.settimeout(self._patience)
        return link

    @property
    def _patience(self) -> float:
        """Seconds to wait for a byte: the server ends a slow statement, this is for one that is gone."""
        return self._statement_timeout + SILENCE_MARGIN if self._statement_timeout else COPY_SILENCE

    def _translated(self, error: Exception) -> DomainError:
        """The domain error for a driver's error, without the row values that the server tells."""
        code = _field(error, "C") if isinstance(error, DatabaseError) else ""
        if code == "57014":
            return StatementTimeout("The database can't do that in time.", retry_after=5)
        if not code or code.startswith(_NOT_NOW):
            if not code or code.startswith(("08", "57P", "25006")):
                self.dispose()
            return ServiceUnavailable("The database can't do that just now.", retry_after=5)
        if code.startswith("23") and (known := _CONSTRAINTS.get(_field(error, "n"))):
            return known
        if code in _UNSTORABLE:
            return InvalidInput("A value is outside what can be stored.")
        return InternalError(f"Postgres {code} {_field(error, 'n')}".strip())


def _field(error: Exception, key: str) -> str:
    """A field of the server's error message (PostgreSQL manual, "Error and Notice Message Fields")."""
    fields = error.args[0] if error.args else None
    return str(fields.get(key, "")) if isinstance(fields, dict) else ""


def _rows(columns: Any, rows: Any) -> list[Row]:
    if not columns or not rows:
        return []
    names = [column["name"] for column in columns]
    return [dict(zip(names, row, strict=True)) for row in rows]


@cache
def statement_text(name: str) -> str:
    """The text of `shared/database/sql/<name>.sql`."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
