"""The tested service: a stack of the test session, or with URL=https://… a deployed service."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import httpx
import pytest

from localstack.stack import Stack
from localstack.stack_settings import Settings
from tests.support.audit import run_audit
from tests.support.data_folder import data_folder
from tests.support.http_client import PASSWORD, Client, new_email

DEPLOYED = os.environ.get("URL", "").rstrip("/")
DEFAULT_ADMIN = "defaultadmin@admin.as"
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD") or "adminpass"
FRONTEND_URL = os.environ.get("FRONTEND_URL") or "http://localhost:3000"

Connect = Callable[..., Client]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "local: stops or inspects the stack; not run against a deployed service"
    )
    config.addinivalue_line(
        "markers", "deployed: needs what the emulator does not support; run only with URL="
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unfit = "local" if DEPLOYED else "deployed"
    if deselected := [item for item in items if item.get_closest_marker(unfit)]:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole service on free ports. After all tests, every balance must match its ledger."""
    variables = {"ADMIN_PASSWORD": ADMIN_PASSWORD, "FRONTEND_URL": FRONTEND_URL}
    with (
        data_folder() as folder,
        Stack(Settings(port=0, edge_port=0, data_dir=folder, batch_retry=1, variables=variables)) as running,
    ):
        yield running
        audit = run_audit(running)
        assert audit.returncode == 0, audit.stdout


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    return DEPLOYED or str(request.getfixturevalue("stack").url)


@pytest.fixture(scope="session")
def connect(url: str) -> Iterator[Connect]:
    """Return a function that creates clients: `connect()`, `connect(bearer=token)`."""
    with ExitStack() as clients:
        yield lambda **options: clients.enter_context(Client(url, **options))


@pytest.fixture(scope="session")
def admin(connect: Connect) -> Client:
    """The default admin, signed in. A test that ends sessions must create another admin."""
    client = connect()
    assert client.sign_in(DEFAULT_ADMIN, ADMIN_PASSWORD).status_code == 200
    return client


@pytest.fixture(scope="session")
def s3() -> Iterator[httpx.Client]:
    """A client of S3 without credentials, for presigned URLs."""
    with httpx.Client(trust_env=bool(DEPLOYED), timeout=30) as caller:
        yield caller


@pytest.fixture
def anonymous(connect: Connect) -> Client:
    """A client without a session."""
    return connect()


@pytest.fixture
def client(connect: Connect) -> Client:
    """A new account, signed in, with 20 credits for four operations."""
    return connect().sign_up()


@pytest.fixture
def other(connect: Connect) -> Client:
    """Another new account."""
    return connect().sign_up()


@pytest.fixture(scope="session")
def account(admin: Client, connect: Connect) -> Callable[..., Client]:
    """Return a function that creates and signs in an account: `account(role="admin", balance=50)`."""

    def create(**members: object) -> Client:
        email = new_email()
        created = admin.post("/api/v1/users", json={"email": email, "password": PASSWORD, **members})
        assert created.status_code == 201, created.text
        client = connect()
        assert client.sign_in(email).status_code == 200
        return client

    return create


_hosts = count(2)


@pytest.fixture
def isolated_client(connect: Connect) -> Client:
    """A client with its own source address, so that its failed sign-ins throttle no other client."""
    return connect(address=None if DEPLOYED else _loopback_address(next(_hosts)))


def _loopback_address(host: int) -> str | None:
    """Return 127.0.0.`host`, or None if this machine does not have it. macOS has only 127.0.0.1."""
    address = f"127.0.0.{host}"
    with socket.socket() as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return None
    return address
