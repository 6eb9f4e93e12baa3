"""Users of the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from restcalc import Client
from tests.client.conftest import ADMIN, ADMIN_PASSWORD, Service
from tests.support.command_line.runner import CommandLine
from tests.support.http_client import new_email


@pytest.fixture(scope="session")
def new_user(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CommandLine]:
    """Return a function that signs up a user of the command line: 20 credits, and an API key."""

    def create(credit: int = 0) -> CommandLine:
        user = CommandLine(service.url, tmp_path_factory.mktemp("home"), new_email()).login()
        if credit:
            with Client(service.url, api_key="") as admin:
                admin.login(ADMIN, ADMIN_PASSWORD)
                (found,) = admin.list_users(email=user.email).page().rows
                admin.grant_credit(found.id, credit, "test")
        return user

    return create


@pytest.fixture
def cli(new_user: Callable[..., CommandLine]) -> CommandLine:
    """A new user, signed in, with 20 credits for four operations."""
    return new_user()


@pytest.fixture(scope="session")
def root(service: Service, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line of the default admin, with a key for all that admins may do."""
    environment = {"RESTCALC_PASSWORD": ADMIN_PASSWORD}
    user = CommandLine(service.url, tmp_path_factory.mktemp("root"), ADMIN, environment)
    return user.login("--admin")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
