"""Sign-in, sign-up, sessions and their refresh, the throttle, and admins' changes to users."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import argon2
import pytest

from shared import accounts, database
from shared.auth import api_keys, passwords, sessions
from shared.auth import caller as auth
from shared.auth.tokens import TokenPair, TokenType, verify
from shared.errors import Conflict, Forbidden, NotFound, NotSignedIn, TooManyRequests, WrongCredentials
from shared.http.credentials import read_credentials
from shared.ids import uuid7
from shared.schemas.requests import NewApiKey
from tests.support.audit import mismatches
from tests.support.users import Person, create_api_key, create_person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
EMAIL, PASSWORD, ADDRESS = "ada@example.com", "Test1234!", "192.0.2.7"


def sign_in(password: str = PASSWORD, *, email: str = EMAIL, address: str = ADDRESS) -> TokenPair:
    return accounts.sign_in(email, password, address)


def credentials_of(pair: TokenPair) -> auth.Credentials:
    return read_credentials({"authorization": f"Bearer {pair.access}"}, {}, "GET")


def refresh(pair: TokenPair) -> TokenPair:
    claims = verify(pair.refresh, TokenType.REFRESH)
    return sessions.refresh(claims.session_id, claims.token_id)


def test_sign_in_with_an_unknown_email_creates_a_client_with_20_credits(sql: Sql) -> None:
    pair = sign_in()
    caller = auth.look_up(credentials_of(pair))
    assert caller.role == "client"
    assert sql("SELECT email, role, balance FROM users WHERE id = :id", id=caller.id) == [
        [EMAIL, "client", 20]
    ]
    assert sql("SELECT kind, amount FROM ledger WHERE user_id = :id", id=caller.id) == [["opening", 20]]
    assert auth.look_up(credentials_of(sign_in())).id == caller.id
    assert mismatches() == []


def test_sign_up_with_a_non_compliant_password_explains_the_policy_and_creates_no_account(sql: Sql) -> None:
    with pytest.raises(WrongCredentials, match="8 to 128 characters"):
        sign_in("password")
    assert sql("SELECT count(*) FROM users WHERE email = :email", email=EMAIL) == [[0]]


def test_wrong_password_and_unknown_email_return_the_same_detail() -> None:
    sign_in()
    details = set[str]()
    for email in (EMAIL, "nobody@example.com"):
        with pytest.raises(WrongCredentials) as caught:
            sign_in("wrong", email=email)
        details.add(caught.value.detail)
    assert len(details) == 1


def test_concurrent_sign_ups_create_one_account(sql: Sql) -> None:
    def attempt(_: int) -> bool:
        try:
            sign_in()
        except WrongCredentials:
            return False
        return True

    assert all(run_concurrently(4, attempt))
    assert sql("SELECT count(*) FROM users WHERE email = :email", email=EMAIL) == [[1]]
    assert mismatches() == []


def test_sign_in_renews_an_outdated_hash(sql: Sql) -> None:
    sign_in()
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8 * 1024).hash(PASSWORD)
    sql("UPDATE users SET password_hash = :old WHERE email = :email", old=old, email=EMAIL)
    sign_in()
    ((kept,),) = sql("SELECT password_hash FROM users WHERE email = :email", email=EMAIL)
    assert not passwords.outdated(kept)
    assert passwords.verify(PASSWORD, kept)


def test_sixth_failure_within_a_minute_throttles_even_the_right_password() -> None:
    sign_in()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            sign_in("wrong")
    for password in ("wrong", PASSWORD):
        with pytest.raises(TooManyRequests) as caught:
            sign_in(password)
        assert 1 <= caught.value.retry_after <= 12
    sign_in(email="grace@example.com")


def test_throttled_email_may_try_once_more_after_12_seconds(sql: Sql) -> None:
    sign_in()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            sign_in("wrong")
    sql("UPDATE rate_limits SET filled_at = filled_at - interval '12 seconds'")
    sign_in()
    with pytest.raises(WrongCredentials):
        sign_in("wrong")
    with pytest.raises(TooManyRequests):
        sign_in()


def test_bucket_refills_to_at_most_5_attempts(sql: Sql) -> None:
    sign_in()
    sql("UPDATE rate_limits SET filled_at = filled_at - interval '1 day'")
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            sign_in("wrong")
    with pytest.raises(TooManyRequests):
        sign_in("wrong")


def test_successful_sign_ins_are_never_throttled() -> None:
    for _ in range(8):
        sign_in()


def test_thirty_first_failure_from_one_address_is_throttled_for_any_email() -> None:
    def attempt(number: int) -> type[Exception]:
        with pytest.raises((WrongCredentials, TooManyRequests)) as caught:
            sign_in("wrong", email=f"{number}@example.com")
        return caught.type

    # The bucket refills one attempt every two seconds, so a slow machine may see more failures.
    failures = next(number for number in range(60) if attempt(number) is TooManyRequests)
    assert failures >= 30
    sign_in(email="another@example.com", address="192.0.2.8")


def test_throttled_address_consumes_no_attempts_of_an_email(sql: Sql) -> None:
    sign_in()
    sql("INSERT INTO rate_limits (bucket, tokens) VALUES (:bucket, -30)", bucket=f"address:{ADDRESS}")
    for email in [EMAIL] * 6 + ["unknown@example.com"]:
        with pytest.raises(TooManyRequests):
            sign_in("wrong", email=email)
    sign_in(address="192.0.2.8")
    assert sql("SELECT bucket FROM rate_limits WHERE bucket LIKE 'email:%'") == []


def test_refresh_rotates_both_tokens_and_keeps_the_session() -> None:
    first = sign_in()
    second = refresh(first)
    assert second.refresh_id != first.refresh_id
    assert second.csrf != first.csrf
    assert credentials_of(second).session_id == credentials_of(first).session_id
    auth.look_up(credentials_of(second))
    auth.look_up(credentials_of(refresh(second)))


def test_refresh_token_reused_within_10_seconds_returns_its_successor(sql: Sql) -> None:
    first = sign_in()
    second, again = refresh(first), refresh(first)
    assert (again.refresh_id, again.csrf) == (second.refresh_id, second.csrf)
    for pair in (first, second, again):
        auth.look_up(credentials_of(pair))
    assert refresh(again).refresh_id == refresh(second).refresh_id != second.refresh_id
    assert sql("SELECT count(*) FROM sessions") == [[1]]


@pytest.mark.parametrize("stolen", ["after 10 seconds", "two rotations ago"])
def test_refresh_token_reused_later_revokes_the_whole_session(sql: Sql, stolen: str) -> None:
    first = sign_in()
    second = refresh(first)
    other_device = sign_in()
    if stolen == "after 10 seconds":
        sql("UPDATE sessions SET rotated_at = rotated_at - interval '10 seconds'")
    else:
        second = refresh(second)
    with pytest.raises(WrongCredentials):
        refresh(first)
    with pytest.raises(WrongCredentials):
        refresh(second)
    for pair in (first, second):
        with pytest.raises(NotSignedIn):
            auth.look_up(credentials_of(pair))
    auth.look_up(credentials_of(other_device))


def test_reused_refresh_token_does_not_revive_a_revoked_session() -> None:
    first = sign_in()
    second = refresh(first)
    database.run("revoke_session", session_id=credentials_of(second).session_id)
    with pytest.raises(WrongCredentials):
        refresh(first)


def test_concurrent_refreshes_with_one_token_return_the_same_successor() -> None:
    pair = sign_in()
    pairs = run_concurrently(8, lambda _: refresh(pair))
    assert len({(one.refresh_id, one.csrf) for one in pairs}) == 1
    auth.look_up(credentials_of(refresh(pairs[0])))


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET deleted_at = now()",
    ],
)
def test_ended_session_can_neither_be_refreshed_nor_used(sql: Sql, ending: str) -> None:
    pair = sign_in()
    sql(ending)
    with pytest.raises(WrongCredentials):
        refresh(pair)
    with pytest.raises(NotSignedIn):
        auth.look_up(credentials_of(pair))


def test_unknown_credentials_are_not_signed_in() -> None:
    for presented in (auth.Credentials(session_id=uuid4()), auth.Credentials(api_key_hash=b"x" * 32)):
        with pytest.raises(NotSignedIn):
            auth.look_up(presented)
    with pytest.raises(NotSignedIn):
        auth.look_up(auth.Credentials())


def test_demoted_admin_loses_access_immediately(admin: Person) -> None:
    assert auth.look_up(admin.credentials, admin=True).is_admin
    accounts.update_user(admin.id, admin.id, {"role": "client"})
    with pytest.raises(Forbidden):
        auth.look_up(admin.credentials, admin=True)
    assert auth.look_up(admin.credentials).visible_owner == admin.id


def test_admin_password_creates_an_admin_with_100_credits() -> None:
    _, body = accounts.create_admin(EMAIL, PASSWORD, "adminpass", ADDRESS)
    created = json.loads(body)
    assert (created["email"], created["role"], created["balance"]) == (EMAIL, "admin", 100)
    assert "password" not in body
    with pytest.raises(Conflict):
        accounts.create_admin(EMAIL, PASSWORD, "adminpass", ADDRESS)


def test_right_admin_password_never_counts_as_a_failure() -> None:
    for number in range(31):
        accounts.create_admin(f"{number}@example.com", PASSWORD, "adminpass", ADDRESS)
    for _ in range(6):
        with pytest.raises(Conflict):
            accounts.create_admin("0@example.com", PASSWORD, "adminpass", ADDRESS)


def test_guessing_the_admin_password_is_throttled() -> None:
    for number in range(30):
        with pytest.raises(WrongCredentials):
            accounts.create_admin(f"{number}@example.com", PASSWORD, "guess", ADDRESS)
    with pytest.raises(TooManyRequests):
        accounts.create_admin(EMAIL, PASSWORD, "adminpass", ADDRESS)


def test_new_password_revokes_the_sessions(admin: Person) -> None:
    pair = sign_in()
    user_id = auth.look_up(credentials_of(pair)).id
    accounts.update_user(admin.id, user_id, {"password": "another one"})
    with pytest.raises(NotSignedIn):
        auth.look_up(credentials_of(pair))
    with pytest.raises(WrongCredentials):
        sign_in()
    sign_in("another one")


def test_only_a_new_password_revokes_the_api_keys(admin: Person) -> None:
    user_id = auth.look_up(credentials_of(sign_in())).id
    presented = create_api_key(user_id).credentials
    accounts.update_user(admin.id, user_id, {"balance": Decimal(7), "role": "admin"})
    assert auth.look_up(presented).id == user_id
    accounts.update_user(admin.id, user_id, {"password": "another one"})
    with pytest.raises(NotSignedIn):
        auth.look_up(presented)


def test_sign_in_beyond_50_sessions_deletes_the_oldest(sql: Sql) -> None:
    oldest, second = sign_in(), sign_in()
    sql(
        """INSERT INTO sessions (id, user_id, refresh_id, expires_at)
           SELECT gen_random_uuid(), user_id, gen_random_uuid(), expires_at
           FROM sessions, generate_series(1, 24)"""
    )
    newest = sign_in()
    assert sql("SELECT count(*) FROM sessions") == [[50]]
    with pytest.raises(NotSignedIn):
        auth.look_up(credentials_of(oldest))
    for pair in (second, newest):
        auth.look_up(credentials_of(pair))


def test_ended_sessions_are_deleted_before_active_ones(sql: Sql) -> None:
    living = sign_in()
    for _ in range(2):
        sql(
            """INSERT INTO sessions (id, user_id, refresh_id, expires_at, revoked_at)
               SELECT gen_random_uuid(), user_id, gen_random_uuid(), expires_at, now()
               FROM sessions, generate_series(1, 60) WHERE revoked_at IS NULL"""
        )
        sign_in()
        assert sql("SELECT count(*) FROM sessions") == [[50]]
        auth.look_up(credentials_of(living))


def test_user_has_at_most_100_active_keys_even_if_created_concurrently(client: Person, sql: Sql) -> None:
    sql(
        """INSERT INTO api_keys (id, user_id, name, key_hash)
           SELECT gen_random_uuid(), :id, 'x', uuid_send(gen_random_uuid()) FROM generate_series(1, 98)""",
        id=client.id,
    )

    def attempt(_: int) -> bool:
        try:
            api_keys.create(client.credentials, client.id, NewApiKey(name="x"))
        except Conflict:
            return False
        return True

    assert sum(run_concurrently(5, attempt)) == 2
    sql("UPDATE api_keys SET revoked_at = now() WHERE id = (SELECT id FROM api_keys LIMIT 1)")
    assert attempt(0)


def test_at_most_100_revoked_keys_of_a_user_are_kept(client: Person, sql: Sql) -> None:
    sql(
        """INSERT INTO api_keys (id, user_id, name, key_hash, revoked_at)
           SELECT gen_random_uuid(), :id, 'x', uuid_send(gen_random_uuid()), now()
           FROM generate_series(1, 300)""",
        id=client.id,
    )
    api_keys.create(client.credentials, client.id, NewApiKey(name="x"))
    assert sql("SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL") == [[100]]


def test_deleting_a_user_frees_the_email_and_revokes_sessions_and_keys(sql: Sql) -> None:
    pair = sign_in()
    user_id = auth.look_up(credentials_of(pair)).id
    key = create_api_key(user_id)
    assert database.one("delete_user", id=user_id, admin_id=uuid7(), audit_id=uuid7()) is not None
    assert database.one("delete_user", id=user_id, admin_id=uuid7(), audit_id=uuid7()) is None
    for presented in (credentials_of(pair), key.credentials):
        with pytest.raises(NotSignedIn):
            auth.look_up(presented)
    assert auth.look_up(credentials_of(sign_in())).id != user_id
    assert sql("SELECT count(*) FROM sessions WHERE user_id = :id AND revoked_at IS NULL", id=user_id) == [
        [0]
    ]


def test_email_in_use_raises_conflict_on_creation_and_change(admin: Person, client: Person) -> None:
    with pytest.raises(Conflict, match="e-mail"):
        accounts.create_user(client.email, PASSWORD, "client", None)
    with pytest.raises(Conflict, match="e-mail"):
        accounts.update_user(admin.id, create_person().id, {"email": client.email})


def test_change_of_an_unknown_user_raises_not_found(admin: Person) -> None:
    with pytest.raises(NotFound):
        accounts.update_user(admin.id, uuid4(), {"balance": Decimal(5)})


def test_change_keeps_all_other_fields(admin: Person, client: Person, sql: Sql) -> None:
    before = sql("SELECT email, password_hash, balance FROM users WHERE id = :id", id=client.id)
    accounts.update_user(admin.id, client.id, {"role": "admin"})
    assert sql("SELECT email, password_hash, balance FROM users WHERE id = :id", id=client.id) == before
    assert sql("SELECT role FROM users WHERE id = :id", id=client.id) == [["admin"]]
    auth.look_up(client.credentials, admin=True)
