"""Users for tests, created by the service's own statements but without the time to hash a password."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID, uuid4

from shared import database
from shared.auth.caller import Caller, Credentials, hash_api_key, new_api_key
from shared.auth.throttle import sign_in_buckets
from shared.database import Statements
from shared.ids import uuid7

T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """A user with a valid session."""

    id: UUID
    email: str
    caller: Caller
    session_id: UUID
    refresh_id: UUID

    @property
    def credentials(self) -> Credentials:
        return Credentials(session_id=self.session_id)


def create_person(role: str = "client", balance: Decimal | int = 20) -> Person:
    """Create a user with a session."""
    user_id, session_id, refresh_id = uuid7(), uuid4(), uuid4()
    email = f"{user_id}@example.com"
    database.one(
        "create_user",
        id=user_id,
        entry_id=uuid7(),
        email=email,
        password_hash="none",
        role=role,
        balance=Decimal(balance),
        status="active",
        admin_id=None,
        audit_id=uuid7(),
    )
    assert open_session(user_id, session_id, refresh_id, verified_hash="none")
    return Person(user_id, email, Caller(user_id, role, session_id), session_id, refresh_id)


def open_session(
    user_id: UUID,
    session_id: UUID,
    refresh_id: UUID,
    *,
    verified_hash: str,
    statements: Statements = database,
) -> bool:
    """Open a session as a sign-in does after verification. Return False if the password hash has changed."""
    row = statements.only(
        "open_session",
        session_id=session_id,
        user_id=user_id,
        refresh_id=refresh_id,
        lifetime=3600,
        verified_hash=verified_hash,
        password_hash=None,
        **sign_in_buckets("none", "none"),
    )
    return bool(row["status"] == "active")


API_KEY_PARAMETERS = {
    "name": "program",
    "scopes": ["read", "compute", "batch"],
    "expires_at": None,
    "limit_amount": None,
    "limit_per": None,
    "admin_id": None,
    "audit_id": None,
}
"""The parameters of create_api_key for a key without expiry and limit, except ids and the secret."""


@dataclass(frozen=True)
class ApiKey:
    """An API key and its secret."""

    id: UUID
    secret: str

    @property
    def credentials(self) -> Credentials:
        return Credentials(api_key_hash=hash_api_key(self.secret))


def create_api_key(user_id: UUID, **parameters: Any) -> ApiKey:
    """Create an API key of a user. `parameters` replace those of API_KEY_PARAMETERS."""
    secret, key_hash = new_api_key()
    key = ApiKey(uuid7(), secret)
    database.only(
        "create_api_key",
        id=key.id,
        user_id=user_id,
        key_hash=key_hash,
        key=secret,
        **{**API_KEY_PARAMETERS, **parameters},
    )
    return key


def run_concurrently(count: int, act: Callable[[int], T]) -> list[T]:
    """Return the results of `act(i)` in `count` threads that connect first and then start together.

    Each thread has its own connection, like a Lambda container.
    """
    barrier = Barrier(count)

    def run(number: int) -> T:
        database.run("health")
        barrier.wait(60)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
