"""The harness, and the people on it."""

from collections.abc import Iterator

import pytest

from tests.support.faults.harness import Harness
from tests.support.http_client import Client


@pytest.fixture(scope="session")
def harness() -> Iterator[Harness]:
    """A service whose surroundings break; whatever they did, its books must balance in the end."""
    with Harness.prepared() as harness:
        yield harness
        assert harness.audit() == []


@pytest.fixture
def client(harness: Harness) -> Iterator[Client]:
    """A new account, signed in, with credit 20: four operations."""
    with Client(harness.url) as client:
        yield client.sign_up()


@pytest.fixture
def saver(harness: Harness) -> Iterator[Client]:
    """A new account with credit for any file."""
    with Client(harness.url) as client, Client(harness.url) as admin:
        client.sign_up()
        assert admin.sign_in("defaultadmin@admin.as", "adminpass").status_code == 200
        grant = {"amount": 1_000_000, "reason": "test"}
        assert admin.post(f"/api/v1/users/{client.id}/credits", json=grant).status_code == 200
        yield client
