"""A connection to Postgres that opens at its first statement and reopens after a failure.

A Lambda container serves one request at a time, so it needs one connection and no pool. Fixed statements
(`shared/database/sql/`) are prepared once per connection, and take one round trip each afterwards.

Of the service, only this package uses `Database`: other modules run statements by `shared.database`.
"""

import re
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
"""Seconds for the TCP connection, and again for each message of the TLS handshake and the authentication."""
PROBE_TIMEOUT = 1.0
"""Seconds to wait for the response to a probe. Reconnecting is faster than waiting longer."""
STATEMENT_TIMEOUT = 10.0
"""Seconds until Postgres cancels a statement of a function, which then responds with 503."""
GRACE_PERIOD = 0.5
"""Seconds after the statement timeout before an unresponsive server counts as dead. All timeouts together
must fit into the function's 15 s so that the function, not API Gateway, sends the error."""
COPY_TIMEOUT = 60.0
"""Seconds to wait for each part of a response if statements have no timeout."""
IDLE_LIMIT = 30.0
"""Seconds without a statement after which the connection is probed before use. Meanwhile Lambda may have
frozen the process, and the network may have dropped the connection."""

# Classes and codes of SQLSTATE for temporary failures (PostgreSQL manual, appendix A): connection, resources,
# operator intervention, system error, read-only transaction, lock, serialization and deadlock.
_TEMPORARY = ("08", "53", "57", "58", "25006", "55P03", "40")
# A prepared statement fails with these after a migration, or if its server connection was replaced.
_STALE_STATEMENT = ("0A000", "26000")
# Values that Postgres cannot store, such as a NUL in text or a number outside numeric's range.
_UNSTORABLE = ("22003", "22021", "22P05", "22P02", "22007", "22008")

# The domain error for each constraint that a request can violate.
_CONSTRAINTS: Mapping[str, DomainError] = {
    "users_email_living_key": Conflict("That e-mail already has an account."),
    "operations_type_living_key": Conflict("That operation already has a price."),
    "idempotency_keys_pkey": Conflict(
        "A request with this idempotency key is still running. Try again.", retry_after=1
    ),
}


class _Link(NamedTuple):
    connection: Connection
    socket: socket.socket


class Database:
    """A connection and its prepared statements.

    RDS Proxy assigns a server connection to a client for one transaction, but pins it for longer if the
    client leaves state in the session. So through a proxy, statements are not prepared. No
    `statement_timeout` is sent either, because the proxy rejects it in a startup message; the proxy's
    initialization query sets STATEMENT_TIMEOUT (resources/database/proxy.yml).

    Args:
        url: a URL that PostgresUrl parses.
        statement_timeout: seconds; 0 for none. Then COPY_TIMEOUT limits the wait for each part of a response.
    """

    def __init__(self, url: str, statement_timeout: float = STATEMENT_TIMEOUT) -> None:
        self._url = url
        self._proxied = PostgresUrl.parse(url).proxied
        self._statement_timeout = statement_timeout
        self._link: _Link | None = None
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self._used_at = 0.0
        self.in_transaction = False
        self.has_unit_of_work = False
        """Whether a unit of work has reserved the connection. It may not have begun its transaction yet."""

    def run(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run the fixed statement `shared/database/sql/<name>.sql` and return its rows.

        Raises:
            ServiceUnavailable: the server can't be reached, or failed temporarily.
            StatementTimeout: Postgres cancelled the statement.
            Conflict: the statement violated a constraint.
            InvalidInput: Postgres cannot store a value.
            InternalError: any other error.
        """
        # The file is read outside of `_guarded`: a missing one is not an error of the server.
        return self.prepared(statement_text(name), parameters, name)

    def prepared(self, sql: str, parameters: Mapping[str, Any], name: str = "") -> list[Row]:
        """Run a statement that is prepared once per connection. Raises: as `run`.

        Args:
            sql: one of a few texts, because the connection keeps each statement.
            name: for traces.
        """
        if self._proxied:
            return self._execute(sql, name, **parameters)
        with self._guarded(sql, name):
            statement = self._statement(sql)
            try:
                rows = statement.run(**parameters)
            except DatabaseError as error:
                # A stale statement failed before it changed anything, so it is safe to run it again.
                if self.in_transaction or _field(error, "C") not in _STALE_STATEMENT:
                    raise
                self.dispose()
                statement = self._statement(sql)
                rows = statement.run(**parameters)
        return _rows(statement.columns, rows)

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement unprepared, so that Postgres plans it for these values. Raises: as `run`."""
        return self._execute(sql, **parameters)

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> None:
        """Run `COPY … FROM STDIN` with blocks of whole rows. Raises: as `run`."""
        self._execute(sql, stream=blocks)

    def copy_out(self, sql: str, sink: Any) -> int:
        """Run `COPY … TO STDOUT` into `sink.write(bytes)` and return the number of rows. Raises: as `run`."""
        self._execute(sql, stream=sink)
        assert self._link is not None  # noqa: S101  (for mypy)
        return int(self._link.connection.row_count)

    def begin(self) -> None:
        """Begin a transaction. Raises: as `run`."""
        self._execute("BEGIN")
        self.in_transaction = True

    def commit(self) -> None:
        """Commit the transaction. Raises: as `run`.

        If it raises because the connection broke, Postgres may have committed.
        """
        try:
            self._execute("COMMIT")
        finally:
            self.in_transaction = False

    def rollback(self) -> None:
        """Roll back the transaction. If that fails, close the connection, which rolls it back too."""
        self.in_transaction = False
        try:
            if self._link is not None:
                self._link.connection.run("ROLLBACK")
        except (DatabaseError, InterfaceError, OSError):
            self.dispose()

    def dispose(self) -> None:
        """Close the connection. The next statement opens a new one."""
        link, self._link = self._link, None
        self._prepared.clear()
        self.in_transaction = False
        if link is not None:
            with suppress(Exception):
                link.connection.close()

    def _execute(self, sql: str, name: str = "", /, **arguments: Any) -> list[Row]:
        with self._guarded(sql, name):
            connection = self._live()
            rows = connection.run(sql, **arguments)
        return _rows(connection.columns, rows)

    @contextmanager
    def _guarded(self, sql: str, name: str) -> Iterator[None]:
        """Trace a statement by its name or first word, and raise DomainErrors for the driver's errors."""
        statement = name or sql.split(None, 1)[0]
        try:
            with subsegment("postgres", sql={"sanitized_query": statement, "database_type": "PostgreSQL"}):
                yield
        except (DatabaseError, InterfaceError, OSError) as error:
            raise self._domain_error(error) from None
        except BaseException:
            # The driver stopped midway: it could not encode a value, or the source of a COPY failed. The next
            # statement on this connection would read the response to this one.
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
        """Whether the connection still works. Unexpected bytes can mean that it was closed."""
        idle = time.monotonic() - self._used_at
        if idle < IDLE_LIMIT and not _is_readable(link.socket):
            return True
        link.socket.settimeout(PROBE_TIMEOUT)
        try:
            link.connection.run("SELECT 1")
        except (DatabaseError, InterfaceError, OSError):
            return False
        link.socket.settimeout(self._socket_timeout)
        return True

    def _connect(self) -> "_Link":
        url = PostgresUrl.parse(self._url)
        raw = url.open_socket(CONNECT_TIMEOUT)
        timeout = {"statement_timeout": str(int(self._statement_timeout * 1000))}
        try:
            connection = Connection(
                **url.driver_arguments(raw),
                application_name="restcalculator",
                startup_params={} if url.proxied else timeout,
            )
        except BaseException:
            raw.close()
            raise
        link = _Link(connection, connection._usock)
        link.socket.settimeout(self._socket_timeout)
        return link

    @property
    def _socket_timeout(self) -> float:
        """Seconds until a read fails. A living server cancels slow statements earlier."""
        return self._statement_timeout + GRACE_PERIOD if self._statement_timeout else COPY_TIMEOUT

    def _domain_error(self, error: Exception) -> DomainError:
        """Return the domain error for a driver's error, without the row values in the server's message."""
        code = _field(error, "C") if isinstance(error, DatabaseError) else ""
        if code == "57014":
            return StatementTimeout("The database took too long. Try again later.", retry_after=5)
        if not code or code.startswith(_TEMPORARY):
            if not code or code.startswith(("08", "57P", "25006")):
                self.dispose()
            return ServiceUnavailable("The database is temporarily unavailable. Try again.", retry_after=5)
        if code.startswith("23") and (known := _CONSTRAINTS.get(_field(error, "n"))):
            return known
        if code in _UNSTORABLE:
            return InvalidInput("A value is outside the range that can be stored.")
        return InternalError(f"Postgres {code} {_field(error, 'n')}".strip())


def _is_readable(connected: socket.socket) -> bool:
    """Whether bytes have arrived. Not by select.select, which fails for file descriptors above 1,023."""
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


def _field(error: Exception, key: str) -> str:
    """Return a field of the server's error (PostgreSQL manual, "Error and Notice Message Fields"), or ""."""
    fields = error.args[0] if error.args else None
    return str(fields.get(key, "")) if isinstance(fields, dict) else ""


def _rows(columns: Any, rows: Any) -> list[Row]:
    if not columns or not rows:
        return []
    names = [column["name"] for column in columns]
    return [dict(zip(names, row, strict=True)) for row in rows]


@cache
def statement_text(name: str) -> str:
    """Return the text of `shared/database/sql/<name>.sql`. `-- include <path>` inserts that file."""
    folder = Path(__file__).parent / "sql"
    text = (folder / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub("-- include (.+)", lambda found: (folder / found[1]).read_text(encoding="utf-8"), text)
