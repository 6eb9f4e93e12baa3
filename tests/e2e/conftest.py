"""The service that the tests talk to: a stack of their own, or with URL=https://… a deployed one."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import httpx
import pytest

from deploy.environment import ROOT
from localstack.stack import Stack
from localstack.stack_settings import Settings
from tests.support.data_folder import data_folder
from tests.support.http_client import PASSWORD, Client, new_email

DEPLOYED = os.environ.get("URL", "").rstrip("/")
DEFAULT_ADMIN = "defaultadmin@admin.as"
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD") or "adminpass"
FRONTEND_URL = os.environ.get("FRONTEND_URL") or "http://localhost:3000"

Connect = Callable[..., Client]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "local: stops, or looks into, the stack itself; not for a deployed service"
    )
    config.addinivalue_line("markers", "deployed: what the emulator does not do; only with URL=")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unfit = "local" if DEPLOYED else "deployed"
    if deselected := [item for item in items if item.get_closest_marker(unfit)]:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole service on free ports; whatever the tests did, its books must balance in the end."""
    variables = {"ADMIN_PASSWORD": ADMIN_PASSWORD, "FRONTEND_URL": FRONTEND_URL}
    with (
        data_folder() as folder,
        Stack(Settings(port=0, edge_port=0, data_dir=folder, batch_retry=1, variables=variables)) as running,
    ):
        yield running
        audit = run_audit(running)
        assert audit.returncode == 0, audit.stdout


def run_audit(stack: Stack) -> "subprocess.CompletedProcess[str]":
    """What `make audit` runs."""
    environment = {**os.environ, **stack.environment}
    command = [sys.executable, "-m", "shared.billing.audit"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    return DEPLOYED or str(request.getfixturevalue("stack").url)


@pytest.fixture(scope="session")
def connect(url: str) -> Iterator[Connect]:
    """Makes callers: `connect()`, `connect(bearer=token)`."""
    with ExitStack() as clients:
        yield lambda **how: clients.enter_context(Client(url, **how))


@pytest.fixture(scope="session")
def admin(connect: Connect) -> Client:
    """The default admin, signed in. A test that ends sessions makes an admin of its own."""
    client = connect()
    assert client.sign_in(DEFAULT_ADMIN, ADMIN_PASSWORD).status_code == 200
    return client


@pytest.fixture(scope="session")
def s3() -> Iterator[httpx.Client]:
    """A caller of S3, who knows what the service told them and nothing else."""
    with httpx.Client(trust_env=bool(DEPLOYED), timeout=30) as caller:
        yield caller


@pytest.fixture
def anonymous(connect: Connect) -> Client:
    """A caller who has not signed in."""
    return connect()


@pytest.fixture
def client(connect: Connect) -> Client:
    """A new account, signed in, with credit 20: four operations."""
    return connect().sign_up()


@pytest.fixture
def other(connect: Connect) -> Client:
    """Another new account."""
    return connect().sign_up()


@pytest.fixture(scope="session")
def account(admin: Client, connect: Connect) -> Callable[..., Client]:
    """Makes accounts by the admin's hand and signs them in: `account(role="admin", balance=50)`."""

    def make(**members: object) -> Client:
        email = new_email()
        made = admin.post("/api/v1/users", json={"email": email, "password": PASSWORD, **members})
        assert made.status_code == 201, made.text
        client = connect()
        assert client.sign_in(email).status_code == 200
        return client

    return make


_hosts = count(2)


@pytest.fixture
def isolated_client(connect: Connect) -> Client:
    """A caller with its own source address, so that its failed sign-ins throttle no other caller."""
    return connect(address=None if DEPLOYED else _loopback_address(next(_hosts)))


def _loopback_address(host: int) -> str | None:
    """127.0.0.`host` where this machine has it; Linux has them all, macOS the first one only."""
    address = f"127.0.0.{host}"
    with socket.socket() as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return None
    return address
