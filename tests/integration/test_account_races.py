"""Races of changes to an account with sign-ins and new API keys, all waiting for the account's locked row.

A batch chunk locks its owner's row. A statement that waits for this row must not act on what it read before.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from shared import accounts, database, tasks, users
from shared.auth import api_keys
from shared.auth.caller import Credentials, hash_api_key, look_up
from shared.auth.passwords import hash_password
from shared.auth.sessions import refresh
from shared.billing import charges
from shared.database import UnitOfWork
from shared.errors import NotFound, NotSignedIn, WrongCredentials
from shared.ids import uuid7
from shared.schemas.requests import NewApiKey
from tests.support.eventually import eventually
from tests.support.users import API_KEY_PARAMETERS, Person, open_session

pytestmark = pytest.mark.usefixtures("database_url")

T = TypeVar("T")
Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]
Queue = Callable[[Callable[[], T]], Future[T]]
PASSWORD, ADDRESS = "Lovelace1!", "192.0.2.1"
ADMIN = uuid4()

CHANGES: dict[str, Callable[[Person], None]] = {
    "new password": lambda who: accounts.update_user(ADMIN, who.id, {"password": "Another1!"}),
    "inactive": lambda who: accounts.update_user(ADMIN, who.id, {"status": "inactive"}),
    "deleted": lambda who: users.delete(who.id, admin_id=uuid7()),
}


@pytest.fixture
def locked(another_uow: AnotherUow, client: Person) -> UnitOfWork:
    """Return a transaction that holds the lock on the client's row, as a batch chunk does."""
    holder = another_uow()
    assert holder.one("lock_user", id=client.id) is not None
    return holder


@pytest.fixture
def queue(sql: Sql) -> Iterator[Queue[Any]]:
    """Return a function that starts an action on its own connection and waits until it blocks or ends."""
    with ThreadPoolExecutor(4) as pool:

        def start(action: Callable[[], T]) -> Future[T]:
            pids = Future[int]()

            def act() -> T:
                pids.set_result(database.query("SELECT pg_backend_pid() AS pid", {})[0]["pid"])
                return action()

            waiting = "SELECT 1 FROM pg_stat_activity WHERE pid = :pid AND wait_event_type = 'Lock'"
            future, pid = pool.submit(act), pids.result(30)
            eventually(lambda: future.done() or sql(waiting, pid=pid))
            return future

        yield start


def is_signed_in(presented: Credentials) -> bool:
    try:
        look_up(presented)
    except NotSignedIn:
        return False
    return True


def sign_in(client: Person) -> Callable[[], Credentials | None]:
    def act() -> Credentials | None:
        session_id = uuid4()
        opened = open_session(client.id, session_id, uuid4(), verified_hash="none")
        return Credentials(session_id=session_id) if opened else None

    return act


def create_key(client: Person) -> Callable[[], Credentials | None]:
    def act() -> Credentials | None:
        try:
            _, body = api_keys.create(client.credentials, client.id, NewApiKey(name="program"))
        except NotSignedIn:
            return None
        return Credentials(api_key_hash=hash_api_key(json.loads(body)["key"]))

    return act


@pytest.mark.parametrize("create", [sign_in, create_key])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("change_waits_first", [True, False])
def test_sign_in_or_new_key_does_not_survive_a_change_that_waited(
    client: Person,
    locked: UnitOfWork,
    queue: Queue[Any],
    change: Callable[[Person], None],
    create: Callable[[Person], Callable[[], Credentials | None]],
    change_waits_first: bool,
) -> None:
    if change_waits_first:
        changed = queue(lambda: change(client))
        created = queue(create(client))
    else:
        created = queue(create(client))
        changed = queue(lambda: change(client))
    locked.commit()
    changed.result(30)
    if (presented := created.result(30)) is not None:
        assert not is_signed_in(presented)
    else:
        assert change_waits_first, "a sign-in or key before the change must succeed"
    assert not is_signed_in(client.credentials)


@pytest.mark.parametrize("statement", ["open_session", "create_api_key"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_waits_for_an_uncommitted_session_or_key_and_revokes_it(
    client: Person,
    another_uow: AnotherUow,
    queue: Queue[Any],
    change: Callable[[Person], None],
    statement: str,
) -> None:
    creating, session_id = another_uow(), uuid4()
    if statement == "open_session":
        open_session(client.id, session_id, uuid4(), verified_hash="none", statements=creating)
        presented = Credentials(session_id=session_id)
    else:
        creating.one("lock_user", id=client.id)
        creating.one(
            statement, id=uuid4(), user_id=client.id, key_hash=b"x" * 32, key="rc_x", **API_KEY_PARAMETERS
        )
        presented = Credentials(api_key_hash=b"x" * 32)
    changed = queue(lambda: change(client))
    assert not changed.done()
    creating.commit()
    changed.result(30)
    assert not is_signed_in(presented)


def test_demotion_that_waited_applies_to_sessions_and_keys_created_meanwhile(
    admin: Person, another_uow: AnotherUow, queue: Queue[Any]
) -> None:
    holder = another_uow()
    holder.one("lock_user", id=admin.id)
    demoted = queue(lambda: accounts.update_user(ADMIN, admin.id, {"role": "client"}))
    created = [queue(create(admin)) for create in (sign_in, create_key)]
    holder.commit()
    demoted.result(30)
    for presented in [admin.credentials, *(future.result(30) for future in created)]:
        assert look_up(presented).role == "client"


def test_change_keeps_the_charges_of_a_chunk_that_it_waited_for(
    client: Person, locked: UnitOfWork, queue: Queue[Any], sql: Sql
) -> None:
    changed = queue(
        lambda: accounts.update_user(ADMIN, client.id, {"balance": Decimal(7), "password": "x" * 8})
    )
    locked.query(
        """WITH debit AS (UPDATE users SET balance = balance - 5 WHERE id = :id::uuid)
           INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
           VALUES (gen_random_uuid(), :id::uuid, 'adjustment', -5, 20, 15, '{}')""",
        {"id": client.id},
    )
    locked.commit()
    changed.result(30)
    amounts = sql("SELECT amount FROM ledger WHERE user_id = :id ORDER BY seq", id=client.id)
    assert [amount for (amount,) in amounts] == [20, -5, -8]
    assert database.run("audit", user_ids=None) == []


def test_charge_that_waited_for_a_deactivation_is_rejected(
    client: Person, another_uow: AnotherUow, queue: Queue[Any], sql: Sql
) -> None:
    deactivating = another_uow()
    deactivating.query("UPDATE users SET status = 'inactive' WHERE id = :id::uuid", {"id": client.id})
    call = charges.Call(client.credentials, "addition", "[1, 2]", None)
    charged = queue(lambda: charges.charge(call, Decimal(3)))
    assert not charged.done()
    deactivating.commit()
    with pytest.raises(NotSignedIn):
        charged.result(30)
    assert sql("SELECT balance FROM users WHERE id = :id", id=client.id) == [[20]]


def test_deactivation_waits_for_a_running_chunk_and_cancels_its_task(
    client: Person, another_uow: AnotherUow, queue: Queue[Any], sql: Sql
) -> None:
    task_id, _ = tasks.create(client.caller, "a.csv", 10, "queued")
    sql("UPDATE tasks SET status = 'processing' WHERE id = :id", id=task_id)
    chunk = another_uow()
    assert chunk.one("begin_chunk", id=task_id, bytes_done=0, rows=1) is not None
    changed = queue(lambda: accounts.update_user(ADMIN, client.id, {"status": "inactive"}))
    assert not changed.done()
    chunk.commit()
    changed.result(30)
    assert sql("SELECT status FROM tasks WHERE id = :id", id=task_id) == [["cancelled"]]
    assert database.one("begin_chunk", id=task_id, bytes_done=0, rows=1) is None


def test_chunk_that_waited_for_a_deactivation_finds_its_task_cancelled(
    client: Person, another_uow: AnotherUow, queue: Queue[Any], sql: Sql
) -> None:
    task_id, _ = tasks.create(client.caller, "a.csv", 10, "queued")
    sql("UPDATE tasks SET status = 'processing' WHERE id = :id", id=task_id)
    deactivating = another_uow()
    deactivating.run("suspend_tasks", user_id=client.id, id=None)
    chunk = queue(lambda: database.one("begin_chunk", id=task_id, bytes_done=0, rows=1))
    deactivating.one("lock_user", id=client.id)  # in the other order, this would be a deadlock
    deactivating.commit()
    assert chunk.result(30) is None


def test_change_that_waited_for_a_deletion_raises_not_found(
    client: Person, locked: UnitOfWork, queue: Queue[Any]
) -> None:
    deleted = queue(lambda: users.delete(client.id, admin_id=uuid7()))
    changed = queue(lambda: accounts.update_user(ADMIN, client.id, {"balance": Decimal(7)}))
    locked.commit()
    deleted.result(30)
    with pytest.raises(NotFound):
        changed.result(30)


@pytest.fixture
def owner(client: Person, sql: Sql) -> Person:
    """A client with a password."""
    sql("UPDATE users SET password_hash = :hash WHERE id = :id", hash=hash_password(PASSWORD), id=client.id)
    return client


def change_own_password(who: Person) -> Callable[[], None]:
    return lambda: accounts.change_password(who.caller, PASSWORD, "Another1!", ADDRESS)


def session_elsewhere(who: Person, sql: Sql) -> UUID:
    """Open another session, whose refresh token has the same id, and return the id."""
    session_id = uuid4()
    sql(
        "INSERT INTO sessions (id, user_id, refresh_id, expires_at)"
        " VALUES (:id, :user_id, :id, now() + interval '1 hour')",
        id=session_id,
        user_id=who.id,
    )
    return session_id


@pytest.mark.parametrize("change_waits_first", [True, False])
def test_sign_in_does_not_survive_an_own_password_change_that_waited(
    owner: Person, locked: UnitOfWork, queue: Queue[Any], sql: Sql, change_waits_first: bool
) -> None:
    def sign_in() -> None:
        accounts.sign_in(owner.email, PASSWORD, ADDRESS)

    actions = [change_own_password(owner), sign_in]
    first, second = (queue(action) for action in (actions if change_waits_first else actions[::-1]))
    locked.commit()
    first.result(30)
    if change_waits_first:
        with pytest.raises(WrongCredentials):
            second.result(30)
    else:
        second.result(30)
    assert sql("SELECT id FROM sessions WHERE revoked_at IS NULL") == [[owner.session_id]]
    assert is_signed_in(owner.credentials)


@pytest.mark.parametrize("change_waits_first", [True, False])
def test_refreshed_session_does_not_survive_an_own_password_change_that_waited(
    owner: Person, another_uow: AnotherUow, queue: Queue[Any], sql: Sql, change_waits_first: bool
) -> None:
    session_id = session_elsewhere(owner, sql)
    holder = another_uow()
    holder.query("SELECT FROM sessions WHERE id = :id::uuid FOR UPDATE", {"id": session_id})
    actions = [change_own_password(owner), lambda: refresh(session_id, session_id)]
    first, second = (queue(action) for action in (actions if change_waits_first else actions[::-1]))
    holder.commit()
    first.result(30)
    if change_waits_first:
        with pytest.raises(WrongCredentials):
            second.result(30)
    else:
        second.result(30)
        assert not is_signed_in(Credentials(session_id=session_id))
    assert sql("SELECT id FROM sessions WHERE revoked_at IS NULL") == [[owner.session_id]]


def test_second_of_two_own_password_changes_finds_its_session_ended(
    owner: Person, locked: UnitOfWork, queue: Queue[Any], sql: Sql
) -> None:
    session_id = session_elsewhere(owner, sql)
    elsewhere = replace(owner, caller=replace(owner.caller, session_id=session_id))
    first, second = queue(change_own_password(owner)), queue(change_own_password(elsewhere))
    locked.commit()
    first.result(30)
    with pytest.raises(NotSignedIn):
        second.result(30)
    assert sql("SELECT id FROM sessions WHERE revoked_at IS NULL") == [[owner.session_id]]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_own_password_change_that_waited_for_another_change_is_rejected(
    owner: Person, locked: UnitOfWork, queue: Queue[Any], sql: Sql, change: Callable[[Person], None]
) -> None:
    changed, own = queue(lambda: change(owner)), queue(change_own_password(owner))
    locked.commit()
    changed.result(30)
    with pytest.raises(NotSignedIn):
        own.result(30)
    assert sql("SELECT id FROM sessions WHERE revoked_at IS NULL") == []


def test_own_password_change_verifies_again_if_a_sign_in_renewed_the_hash(
    owner: Person, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    verify, renewed = accounts.passwords.verify, list[str]()

    def verify_while_it_is_renewed(password: str, encoded: str | None) -> bool:
        if not renewed:
            renewed.append(hash_password(PASSWORD))
            sql("UPDATE users SET password_hash = :new WHERE id = :id", new=renewed[0], id=owner.id)
        return verify(password, encoded)

    monkeypatch.setattr(accounts.passwords, "verify", verify_while_it_is_renewed)
    change_own_password(owner)()
    assert accounts.sign_in(owner.email, "Another1!", ADDRESS).access


def test_sign_in_verifies_again_if_another_sign_in_renewed_the_hash(
    monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    email = "ada@example.com"
    accounts.sign_in(email, PASSWORD, ADDRESS)
    verify, renewed = accounts.passwords.verify, list[str]()

    def verify_while_it_is_renewed(password: str, encoded: str | None) -> bool:
        if not renewed:
            renewed.append(hash_password(PASSWORD))
            sql("UPDATE users SET password_hash = :new WHERE email = :email", new=renewed[0], email=email)
        return verify(password, encoded)

    monkeypatch.setattr(accounts.passwords, "verify", verify_while_it_is_renewed)
    assert accounts.sign_in(email, PASSWORD, ADDRESS).access
