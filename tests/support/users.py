"""Users for tests: made by the service's own statements, without the time that a hash takes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from threading import Barrier
from typing import TypeVar
from uuid import UUID, uuid4

from shared import database
from shared.auth.caller import Caller, Credentials
from shared.auth.throttle import sign_in_buckets
from shared.database import Statements
from shared.ids import uuid7

T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """A user with a session that is good."""

    id: UUID
    email: str
    caller: Caller
    session_id: UUID
    refresh_id: UUID

    @property
    def credentials(self) -> Credentials:
        return Credentials(session_id=self.session_id)


def enrol(role: str = "client", balance: Decimal | int = 20) -> Person:
    """A new user who is signed in."""
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
    )
    assert open_session(user_id, session_id, refresh_id, verified_hash="none")
    return Person(user_id, email, Caller(user_id, role), session_id, refresh_id)


def open_session(
    user_id: UUID,
    session_id: UUID,
    refresh_id: UUID,
    *,
    verified_hash: str,
    statements: Statements = database,
) -> bool:
    """Open a session as a sign-in does after it verified the password; False if the hash was changed."""
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
    return row["id"] is not None


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """What `act(i)` returns in each of `count` threads. All connect first, and start together.

    Each thread has a connection of its own, as a Lambda container has.
    """
    barrier = Barrier(count)

    def run(number: int) -> T:
        database.run("health")
        barrier.wait(60)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
