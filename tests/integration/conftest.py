"""One embedded Postgres for the session, and a migrated database for every test."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import pg8000.native
import pytest

from localstack.postgres import DATABASE, Postgres
from shared import database
from shared.database import STATEMENT_TIMEOUT, UnitOfWork, dispose_connections
from shared.settings import settings
from tests.support.data_folder import data_folder
from tests.support.list_reader import Reader
from tests.support.users import Person, create_person

SETTINGS = {
    "CONFIG_TYPE": "testing",
    "JWT_SECRET_KEY": "a secret of the integration tests, 32 bytes or more",
}
NOT_SET = ("CLIENT_PASSWORD", "ADMIN_PASSWORD", "RANDOM_STRING_API_KEY")


@dataclass(frozen=True)
class Server:
    """The Postgres of the session. Its database `template` is migrated and holds the default rows."""

    postgres: Postgres
    maintenance: pg8000.native.Connection
    template: str

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.postgres.socket_folder}"

    def connect(self, database: str) -> pg8000.native.Connection:
        """Open a connection that bypasses the service."""
        socket = f"{self.postgres.socket_folder}/.s.PGSQL.5432"
        # By default pg8000 reads all trusted certificates, which takes longer than most tests.
        return pg8000.native.Connection("postgres", database=database, unix_sock=socket, ssl_context=False)


@pytest.fixture(scope="session")
def embedded_postgres() -> Iterator[Postgres]:
    with data_folder() as folder:
        postgres = Postgres(folder / "postgres")
        postgres.start()
        yield postgres
        postgres.stop()


@pytest.fixture(scope="session")
def server(embedded_postgres: Postgres) -> Iterator[Server]:
    socket = f"{embedded_postgres.socket_folder}/.s.PGSQL.5432"
    with pg8000.native.Connection(
        "postgres", database="postgres", unix_sock=socket, ssl_context=False
    ) as maintenance:
        made = Server(embedded_postgres, maintenance, DATABASE)
        with pytest.MonkeyPatch.context() as patch:
            use(patch, made.url(DATABASE))
            from migrations.handler import handler  # Alembic takes half a second to import

            handler({}, None)
            dispose_connections()
        settings.cache_clear()
        yield made


def use(patch: pytest.MonkeyPatch, url: str) -> None:
    """Make the service use this database."""
    for name in NOT_SET:
        patch.delenv(name, raising=False)
    for name, value in SETTINGS.items():
        patch.setenv(name, value)
    patch.setenv("AWS_PGSQL_PATH", url)
    settings.cache_clear()


_numbers = count(1)


@pytest.fixture
def database_url(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a migrated database with the default rows. The service uses it."""
    name = f"test_{next(_numbers)}"
    # Copying files takes half the CPU of copying through the WAL.
    server.maintenance.run(f"CREATE DATABASE {name} TEMPLATE {server.template} STRATEGY FILE_COPY")
    use(monkeypatch, server.url(name))
    yield server.url(name)
    dispose_connections()
    settings.cache_clear()
    server.maintenance.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty database. The service uses it."""
    name = f"test_{next(_numbers)}"
    server.maintenance.run(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
    use(monkeypatch, server.url(name))
    yield server.url(name)
    dispose_connections()
    settings.cache_clear()
    server.maintenance.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sql(server: Server, database_url: str) -> Iterator[Callable[..., list[list[Any]]]]:
    """Return a function that runs SQL on a connection of the test, bypassing the service."""
    name = database_url.partition("@/")[2].partition("?")[0]
    with server.connect(name) as connection:
        yield connection.run


@pytest.fixture
def another_uow(database_url: str) -> Iterator[Callable[[], UnitOfWork]]:
    """Return a function that opens a unit of work on its own connection, like another Lambda container."""
    with ExitStack() as stack:

        def make() -> UnitOfWork:
            # The service keeps one connection per timeout.
            with database.statement_timeout(STATEMENT_TIMEOUT + next(_numbers)):
                return stack.enter_context(UnitOfWork())

        yield make


@pytest.fixture
def client(database_url: str) -> Person:
    """A signed-in client with 20 credits."""
    return create_person("client")


@pytest.fixture
def admin(database_url: str) -> Person:
    """A signed-in admin."""
    return create_person("admin")


@pytest.fixture
def records(client: Person, sql: Callable[..., list[list[Any]]]) -> list[UUID]:
    """Create 30 records of the client with many equal values and nulls. Return their ids, newest first."""
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    created = list[UUID]()
    for number in range(30):
        created.append(UUID(int=number + 1))
        sql(
            """INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount,
                                    user_balance, date, task_id, task_row)
               VALUES (:id, :user_id, :operation_id, '[1, 2]', CAST(:response AS jsonb), :amount, 7, :date,
                       :task_id, :task_row)""",
            id=created[-1],
            user_id=client.id,
            operation_id=operation_id,
            response=json.dumps([3, "abc", None, {"a": 1.5}][number % 4]),
            amount=Decimal(number % 3),
            date=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number // 5),
            task_id=None if number % 4 == 0 else UUID(int=number % 4),
            task_row=None if number % 4 == 0 else number,
        )
    return created[::-1]


@pytest.fixture
def client_reader(client: Person) -> Reader:
    return Reader(client.caller)


@pytest.fixture
def admin_reader(admin: Person) -> Reader:
    return Reader(admin.caller)
