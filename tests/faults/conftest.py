"""The ground, and the people on it."""

from collections.abc import Iterator

import pytest

from tests.support.faults.harness import Ground
from tests.support.http_client import Client


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """A service whose surroundings break; whatever they did, its books must balance in the end."""
    with Ground.prepared() as ground:
        yield ground
        assert ground.audit() == []


@pytest.fixture
def client(ground: Ground) -> Iterator[Client]:
    """A new account, signed in, with credit 20: four operations."""
    with Client(ground.url) as client:
        yield client.sign_up()


@pytest.fixture
def saver(ground: Ground) -> Iterator[Client]:
    """A new account with credit for any file."""
    with Client(ground.url) as client, Client(ground.url) as admin:
        client.sign_up()
        assert admin.sign_in("defaultadmin@admin.as", "adminpass").status_code == 200
        grant = {"amount": 1_000_000, "reason": "test"}
        assert admin.post(f"/api/v1/users/{client.id}/credits", json=grant).status_code == 200
        yield client
