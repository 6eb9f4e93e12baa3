"""The harness of the fault tests: the whole service, with TCP proxies before its Postgres, S3 and SQS."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from localstack.cloud import EDGE_HOST
from localstack.postgres import DATABASE, Postgres
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared.database.connection import Database
from shared.database.url import PostgresUrl
from tests.support.data_folder import data_folder
from tests.support.eventually import eventually
from tests.support.faults.emulator import emulator
from tests.support.faults.routes import CALLS
from tests.support.faults.tcp_proxy import TcpProxy

CONNECTION_LIMIT = 20
"""The limit of Postgres's connections: low, so that tests can exhaust it."""
RETRY = 3
"""Seconds until SQS retries a message. Each fault of these tests ends before the fifth try."""


class Harness:
    """A service that reaches its database, bucket and queue through the proxies `database` and `cloud`."""

    def __init__(self, postgres: Postgres, database: TcpProxy, cloud: TcpProxy, stack: Stack) -> None:
        self.postgres, self.database, self.cloud, self.stack = postgres, database, cloud, stack
        self.url = stack.url

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator["Harness"]:
        with ExitStack() as exits:
            folder = exits.enter_context(data_folder())
            postgres = Postgres(folder / "postgres")
            exits.callback(postgres.stop)
            tune(postgres)
            database = TcpProxy(lambda: PostgresUrl.parse(postgres.url).open_socket(5))
            cloud = TcpProxy.to(exits.enter_context(emulator(folder)))
            settings = Settings(
                port=0,
                data_dir=folder / "stack",
                database_url=f"postgresql://postgres@127.0.0.1:{database.port}/{DATABASE}",
                endpoint_url=f"http://{EDGE_HOST}:{cloud.port}",
                gateway_workers=len(CALLS) + 1,
                batch_workers=1,
                batch_retry=RETRY,
                batch_visibility=RETRY,
            )
            stack = exits.enter_context(Stack(settings))
            for proxy in (database, cloud):
                exits.callback(proxy.close)
            yield cls(postgres, database, cloud, stack)

    @contextmanager
    def sql(self) -> Iterator[pg8000.native.Connection]:
        """Open a connection that bypasses the service and the proxy."""
        with connect(self.postgres) as connection:
            yield connection

    def query(self, statement: str, **parameters: Any) -> list[list[Any]]:
        with self.sql() as connection:
            rows: list[list[Any]] = connection.run(statement, **parameters) or []
            return rows

    @contextmanager
    def set(self, name: str, value: str) -> Iterator[None]:
        """Change a setting of the server, for all connections, within the block."""
        self._reload(f"ALTER SYSTEM SET {name} = {value}")
        # The server's processes reload the setting at different times.
        eventually(lambda: self.query(f"SHOW {name}") == [[value]])
        try:
            yield
        finally:
            self._reload(f"ALTER SYSTEM RESET {name}")

    def _reload(self, statement: str) -> None:
        with self.sql() as connection:
            connection.run(statement)
            connection.run("SELECT pg_reload_conf()")

    def audit(self) -> list[dict[str, Any]]:
        """Return the users whose balance is not the sum of their ledger."""
        database = Database(self.postgres.url)
        try:
            return database.run("audit", user_ids=None)
        finally:
            database.dispose()


def connect(postgres: Postgres) -> pg8000.native.Connection:
    url = PostgresUrl.parse(postgres.url)
    return pg8000.native.Connection(
        "postgres", database=url.database, sock=url.open_socket(5), ssl_context=False
    )


@contextmanager
def exhausted_connections(postgres: Postgres, meanwhile: str) -> Iterator[None]:
    """Use up every connection of the server, including those reserved for superusers, within the block.

    Args:
        meanwhile: a statement to run before each new connection.
    """
    with ExitStack() as taken:
        first = taken.enter_context(connect(postgres))
        more = True
        while more:
            struck = first.run(meanwhile)
            try:
                taken.enter_context(connect(postgres))
            except (DatabaseError, InterfaceError):  # the error, or a socket closed before it
                more = bool(struck)  # the sessions that it ended will free their connections
        yield


def tune(postgres: Postgres) -> None:
    """Limit the connections, and turn fsync off: no test cuts the power."""
    postgres.start()
    with connect(postgres) as connection:
        connection.run(f"ALTER SYSTEM SET max_connections = {CONNECTION_LIMIT}")
        connection.run("ALTER SYSTEM SET fsync = off")
    postgres.stop()
    postgres.start()
