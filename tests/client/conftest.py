"""The service that the tests of the Python client and of the command line share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pg8000.native
import pytest

from localstack.cloud import EDGE_HOST
from localstack.stack import Stack
from localstack.stack_settings import Settings
from restcalc import Client
from restcalc._sync import connection
from shared.database.url import PostgresUrl
from tests.support.audit import run_audit
from tests.support.data_folder import data_folder
from tests.support.faults.emulator import emulator
from tests.support.faults.tcp_proxy import TcpProxy
from tests.support.http_client import PASSWORD, new_email

Respond = Callable[[httpx.Request], httpx.Response]
ADMIN, ADMIN_PASSWORD = "defaultadmin@admin.as", "adminpass"
JWT_SECRET_KEY = "the secret of the service in tests/client"


@dataclass(frozen=True)
class Service:
    """The whole service, and proxies that lose its responses and break transfers."""

    url: str
    gateway: TcpProxy
    """Before the HTTP API, for clients of `unreliable_url`."""
    cloud: TcpProxy
    """Before S3 and SQS."""
    stack: Stack
    database: pg8000.native.Connection

    @property
    def unreliable_url(self) -> str:
        return f"http://localhost:{self.gateway.port}"

    def sql(self, query: str) -> list[list[Any]]:
        """Run a query on the service's database."""
        return list(self.database.run(query) or [])


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The service on free ports. After all tests, every balance must match its ledger."""
    with ExitStack() as exits:
        folder = exits.enter_context(data_folder())
        cloud = TcpProxy.to(exits.enter_context(emulator(folder)))
        settings = Settings(
            port=0,
            data_dir=folder,
            endpoint_url=f"http://{EDGE_HOST}:{cloud.port}",
            batch_retry=1,
            variables={"ADMIN_PASSWORD": ADMIN_PASSWORD, "JWT_SECRET_KEY": JWT_SECRET_KEY},
        )
        stack = exits.enter_context(Stack(settings))
        gateway = TcpProxy.to(urlsplit(stack.url).port or 0)
        for proxy in (gateway, cloud):
            exits.callback(proxy.close)
        url = PostgresUrl.parse(stack.environment["AWS_PGSQL_PATH"])
        database = exits.enter_context(
            pg8000.native.Connection(
                url.user, database=url.database, sock=url.open_socket(5), ssl_context=False
            )
        )
        yield Service(stack.url, gateway, cloud, stack, database)
        audit = run_audit(stack)
        assert audit.returncode == 0, audit.stdout


@pytest.fixture(scope="session")
def connect(service: Service) -> Iterator[Callable[..., Client]]:
    """Return a function that creates clients of the service, behind the proxy: `connect(api_key=…)`."""
    with ExitStack() as clients:
        yield lambda **options: clients.enter_context(
            Client(service.unreliable_url, **{"api_key": "", **options})
        )


@pytest.fixture(scope="session")
def admin(connect: Callable[..., Client]) -> Client:
    """The default admin, signed in."""
    client = connect()
    client.login(ADMIN, ADMIN_PASSWORD)
    return client


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    """A new account, signed in, with 20 credits for four operations."""
    client = connect()
    client.login(new_email(), PASSWORD)
    return client


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Respond], Client]]:
    """Return a function that creates a client of a service whose responses a function returns."""
    with ExitStack() as clients:

        def create(respond: Respond) -> Client:
            options = {"transport": httpx.MockTransport(respond)}
            monkeypatch.setattr(connection, "http_options", lambda url, timeout: options)
            return clients.enter_context(Client("https://service.example", api_key=""))

        yield create
