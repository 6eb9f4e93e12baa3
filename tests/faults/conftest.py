"""The harness of the fault tests, and accounts of its service."""

from collections.abc import Iterator

import pytest

from tests.support.faults.harness import Harness
from tests.support.http_client import Client


@pytest.fixture(scope="session")
def harness() -> Iterator[Harness]:
    """A service with injectable faults. After all tests, every balance must match its ledger."""
    with Harness.prepared() as harness:
        yield harness
        assert harness.audit() == []


@pytest.fixture
def client(harness: Harness) -> Iterator[Client]:
    """A new account, signed in, with 20 credits for four operations."""
    with Client(harness.url) as client:
        yield client.sign_up()


@pytest.fixture
def saver(harness: Harness) -> Iterator[Client]:
    """A new account with enough credit for any file."""
    with Client(harness.url) as client, Client(harness.url) as admin:
        client.sign_up()
        assert admin.sign_in("defaultadmin@admin.as", "adminpass").status_code == 200
        grant = {"amount": 1_000_000, "reason": "test"}
        assert admin.post(f"/api/v1/users/{client.id}/credits", json=grant).status_code == 200
        yield client
