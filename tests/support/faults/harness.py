"""The ground of the faults: the whole service, and between it and its Postgres, S3 and SQS lines."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from localstack.cloud import EDGE_HOST
from localstack.postgres import DATABASE, Postgres
from localstack.settings import Settings
from localstack.stack import Stack
from shared.database.connection import Database
from shared.database.url import PostgresUrl
from tests.support.eventually import eventually
from tests.support.faults.emulator import emulator
from tests.support.faults.routes import CALLS
from tests.support.faults.tcp_line import Line

MOST_CONNECTIONS = 20
"""Of Postgres: few, so that they are soon used up."""
RETRY = 3
"""Seconds until a message that failed comes again: five times, a fault of these tests is over."""


class Ground:
    """A service whose database, bucket and queue are elsewhere, as on AWS, behind `database` and `cloud`."""

    def __init__(self, postgres: Postgres, database: Line, cloud: Line, stack: Stack) -> None:
        self.postgres, self.database, self.cloud, self.stack = postgres, database, cloud, stack
        self.url = stack.url

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator["Ground"]:
        with ExitStack() as exits:
            # Not in pytest's folder, which other users may not enter: Postgres runs as one.
            folder = Path(
                exits.enter_context(TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True))
            )
            postgres = Postgres(folder / "postgres")
            exits.callback(postgres.stop)
            tune(postgres)
            database = Line(lambda: PostgresUrl.parse(postgres.url).open_socket(5))
            cloud = Line.to(exits.enter_context(emulator(folder)))
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
            for line in (database, cloud):
                exits.callback(line.close)
            yield cls(postgres, database, cloud, stack)

    @contextmanager
    def sql(self) -> Iterator[pg8000.native.Connection]:
        """A connection behind the service's back, past the line."""
        with connect(self.postgres) as connection:
            yield connection

    def told(self, statement: str, **parameters: Any) -> list[list[Any]]:
        with self.sql() as connection:
            rows: list[list[Any]] = connection.run(statement, **parameters) or []
            return rows

    @contextmanager
    def set(self, name: str, value: str) -> Iterator[None]:
        """A setting of the server, for all connections, in the block."""
        self._reload(f"ALTER SYSTEM SET {name} = {value}")
        # A new connection shows it once the server has told all that there are.
        eventually(lambda: self.told(f"SHOW {name}") == [[value]])
        try:
            yield
        finally:
            self._reload(f"ALTER SYSTEM RESET {name}")

    def _reload(self, statement: str) -> None:
        with self.sql() as connection:
            connection.run(statement)
            connection.run("SELECT pg_reload_conf()")

    def audit(self) -> list[dict[str, Any]]:
        """Whose balance is not the sum of the ledger."""
        database = Database(self.postgres.url)
        try:
            return database.run("audit")
        finally:
            database.dispose()


def connect(postgres: Postgres) -> pg8000.native.Connection:
    url = PostgresUrl.parse(postgres.url)
    return pg8000.native.Connection("postgres", database=url.database, sock=url.open_socket(5))


@contextmanager
def all_taken(postgres: Postgres, meanwhile: str) -> Iterator[None]:
    """Every connection of the server is somebody else's, the superuser's reserve too; `meanwhile` is what
    is said over one of them before each next one is taken."""
    with ExitStack() as taken:
        first = taken.enter_context(connect(postgres))
        more = True
        while more:
            struck = first.run(meanwhile)
            try:
                taken.enter_context(connect(postgres))
            except (DatabaseError, InterfaceError):  # the driver may find the line cut before it reads why
                more = bool(struck)  # whose places will be free when they have gone
        yield


def tune(postgres: Postgres) -> None:
    """Few connections; and no waiting for the disk, for no test is of a power cut."""
    postgres.start()
    with connect(postgres) as connection:
        connection.run(f"ALTER SYSTEM SET max_connections = {MOST_CONNECTIONS}")
        connection.run("ALTER SYSTEM SET fsync = off")
    postgres.stop()
    postgres.start()
