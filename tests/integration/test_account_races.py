"""Changes to an account that wait for its locked row, while sign-ins and keys for it wait too.

A batch chunk locks its owner's row. A statement that waits for this row must not act on what it read before.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from shared import accounts, users
from shared.auth import api_keys
from shared.auth.caller import Credentials, hash_api_key
from shared.auth.passwords import hash_password
from shared.database.unit_of_work import UnitOfWork
from shared.errors import NotFound, NotSignedIn
from tests.support.eventually import eventually
from tests.support.users import Person, open_session

T = TypeVar("T")
Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]
Queue = Callable[[Callable[[UnitOfWork], T]], Future[T]]
PASSWORD, ADDRESS = "Lovelace1!", "192.0.2.1"
ADMIN = uuid4()

CHANGES: dict[str, Callable[[UnitOfWork, Person], None]] = {
    "new password": lambda uow, who: accounts.update_user(uow, ADMIN, who.id, {"password": "Another1!"}),
    "deleted": lambda uow, who: users.delete(uow, who.id),
}


@pytest.fixture
def locked(another_uow: AnotherUow, client: Person) -> Iterator[UnitOfWork]:
    """A transaction that holds the lock on the client's row, as a batch chunk does."""
    holder = another_uow()
    holder.begin()
    assert holder.one("lock_user", id=client.id) is not None
    yield holder
    if holder.database.in_transaction:
        holder.rollback()


@pytest.fixture
def queue(another_uow: AnotherUow, sql: Sql) -> Iterator[Queue[Any]]:
    """Start an action in a connection of its own, and return when it waits for a lock or has ended."""
    with ThreadPoolExecutor(4) as pool:

        def start(action: Callable[[UnitOfWork], T]) -> Future[T]:
            unit = another_uow()
            pid = unit.database.query("SELECT pg_backend_pid() AS pid", {})[0]["pid"]
            waiting = "SELECT 1 FROM pg_stat_activity WHERE pid = :pid AND wait_event_type = 'Lock'"
            future = pool.submit(action, unit)
            eventually(lambda: future.done() or sql(waiting, pid=pid))
            return future

        yield start


def is_signed_in(uow: UnitOfWork, presented: Credentials) -> bool:
    return uow.one("caller", **presented.parameters()) is not None


def sign_in(client: Person) -> Callable[[UnitOfWork], Credentials | None]:
    def act(uow: UnitOfWork) -> Credentials | None:
        session_id = uuid4()
        opened = open_session(uow, client.id, session_id, uuid4(), verified_hash="none")
        return Credentials(session_id=session_id) if opened else None

    return act


def make_key(client: Person) -> Callable[[UnitOfWork], Credentials | None]:
    def act(uow: UnitOfWork) -> Credentials | None:
        try:
            _, body = api_keys.create(uow, client.credentials, client.id, "program")
        except NotSignedIn:
            return None
        return Credentials(api_key_hash=hash_api_key(json.loads(body)["key"]))

    return act


@pytest.mark.parametrize("make", [sign_in, make_key])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("change_waits_first", [True, False])
def test_nothing_that_signs_in_survives_a_change_that_waited(
    uow: UnitOfWork,
    client: Person,
    locked: UnitOfWork,
    queue: Queue[Any],
    change: Callable[[UnitOfWork, Person], None],
    make: Callable[[Person], Callable[[UnitOfWork], Credentials | None]],
    change_waits_first: bool,
) -> None:
    if change_waits_first:
        changed = queue(lambda unit: change(unit, client))
        made = queue(make(client))
    else:
        made = queue(make(client))
        changed = queue(lambda unit: change(unit, client))
    locked.commit()
    changed.result(30)
    if (presented := made.result(30)) is not None:
        assert not is_signed_in(uow, presented)
    else:
        assert change_waits_first, "a sign-in or key before the change must succeed"
    assert not is_signed_in(uow, client.credentials)


@pytest.mark.parametrize("statement", ["open_session", "create_api_key"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_waits_for_a_session_or_key_that_is_not_committed_yet_and_ends_it(
    uow: UnitOfWork,
    client: Person,
    another_uow: AnotherUow,
    queue: Queue[Any],
    change: Callable[[UnitOfWork, Person], None],
    statement: str,
) -> None:
    creating, session_id = another_uow(), uuid4()
    creating.begin()
    if statement == "open_session":
        open_session(creating, client.id, session_id, uuid4(), verified_hash="none")
        presented = Credentials(session_id=session_id)
    else:
        creating.one("lock_user", id=client.id)
        creating.one(statement, id=uuid4(), user_id=client.id, name="x", key_hash=b"x" * 32, key="rc_x")
        presented = Credentials(api_key_hash=b"x" * 32)
    changed = queue(lambda unit: change(unit, client))
    assert not changed.done()
    creating.commit()
    changed.result(30)
    assert not is_signed_in(uow, presented)


def test_a_demotion_that_waited_takes_the_power_of_sessions_and_keys_made_meanwhile(
    uow: UnitOfWork, admin: Person, another_uow: AnotherUow, queue: Queue[Any]
) -> None:
    holder = another_uow()
    holder.begin()
    holder.one("lock_user", id=admin.id)
    demoted = queue(lambda unit: accounts.update_user(unit, ADMIN, admin.id, {"role": "client"}))
    made = [queue(make(admin)) for make in (sign_in, make_key)]
    holder.commit()
    demoted.result(30)
    for presented in [admin.credentials, *(future.result(30) for future in made)]:
        assert uow.only("caller", **presented.parameters())["role"] == "client"


def test_a_change_keeps_the_money_that_a_chunk_took_while_it_waited(
    uow: UnitOfWork, client: Person, locked: UnitOfWork, queue: Queue[Any], sql: Sql
) -> None:
    changed = queue(
        lambda unit: accounts.update_user(
            unit, ADMIN, client.id, {"balance": Decimal(7), "password": "x" * 8}
        )
    )
    locked.database.query(
        """WITH debit AS (UPDATE users SET balance = balance - 5 WHERE id = :id::uuid)
           INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
           VALUES (gen_random_uuid(), :id::uuid, 'charge', -5, 20, 15, '{}')""",
        {"id": client.id},
    )
    locked.commit()
    changed.result(30)
    amounts = sql("SELECT amount FROM ledger WHERE user_id = :id ORDER BY seq", id=client.id)
    assert [amount for (amount,) in amounts] == [20, -5, -8]
    assert uow.all("audit") == []


def test_a_user_deleted_while_a_change_waits_is_not_changed(
    client: Person, locked: UnitOfWork, queue: Queue[Any]
) -> None:
    deleted = queue(lambda unit: users.delete(unit, client.id))
    changed = queue(lambda unit: accounts.update_user(unit, ADMIN, client.id, {"balance": Decimal(7)}))
    locked.commit()
    deleted.result(30)
    with pytest.raises(NotFound):
        changed.result(30)


def test_a_hash_that_another_sign_in_renewed_meanwhile_is_verified_again(
    uow: UnitOfWork, another_uow: AnotherUow, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    email = "ada@example.com"
    accounts.sign_in(uow, email, PASSWORD, ADDRESS)
    verify, renewed = accounts.passwords.verify, list[str]()

    def verify_while_it_is_renewed(password: str, encoded: str | None) -> bool:
        if not renewed:
            renewed.append(hash_password(PASSWORD))
            sql("UPDATE users SET password_hash = :new WHERE email = :email", new=renewed[0], email=email)
        return verify(password, encoded)

    monkeypatch.setattr(accounts.passwords, "verify", verify_while_it_is_renewed)
    assert accounts.sign_in(uow, email, PASSWORD, ADDRESS).access
