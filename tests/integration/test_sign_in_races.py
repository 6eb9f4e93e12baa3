"""Concurrent sign-ins to one account."""

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from shared import accounts, database
from shared.auth import passwords, throttle
from shared.errors import AccountInactive, TooManyRequests, WrongCredentials
from tests.support.users import run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
EMAIL, PASSWORD, ADDRESS = "ada@example.com", "Lovelace1!", "192.0.2.1"


def outcome(email: str, password: str) -> type[Exception] | None:
    """Return the error type of a sign-in, or None if it succeeds."""
    try:
        accounts.sign_in(email, password, ADDRESS)
    except (WrongCredentials, TooManyRequests) as error:
        return type(error)
    return None


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_fifty_concurrent_right_sign_ins_from_one_address_all_succeed(known: bool) -> None:
    if known:
        accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    pairs = run_concurrently(50, lambda _: accounts.sign_in(EMAIL, PASSWORD, ADDRESS))
    assert len({pair.refresh_id for pair in pairs}) == 50


def test_only_five_of_fifty_concurrent_wrong_sign_ins_are_verified() -> None:
    accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    began = time.monotonic()
    outcomes = Counter(run_concurrently(50, lambda _: outcome(EMAIL, "wrong")))
    refilled = math.floor((time.monotonic() - began) / 12)
    assert 5 <= outcomes[WrongCredentials] <= 5 + refilled
    assert outcomes[WrongCredentials] + outcomes[TooManyRequests] == 50


def test_only_thirty_of_fifty_concurrent_wrong_sign_ins_from_one_address_are_verified() -> None:
    began = time.monotonic()
    outcomes = Counter(run_concurrently(50, lambda i: outcome(f"{i}@example.com", "wrong")))
    refilled = math.floor((time.monotonic() - began) / 2)
    assert 30 <= outcomes[WrongCredentials] <= 30 + refilled
    assert outcomes[WrongCredentials] + outcomes[TooManyRequests] == 50


def test_only_five_of_fifty_concurrent_wrong_admin_passwords_are_verified() -> None:
    def guess(_: int) -> type[Exception]:
        with pytest.raises((WrongCredentials, TooManyRequests)) as caught:
            accounts.create_admin(EMAIL, PASSWORD, "wrong", ADDRESS)
        return caught.type

    began = time.monotonic()
    outcomes = Counter(run_concurrently(50, guess))
    refilled = math.floor((time.monotonic() - began) / 12)
    assert 5 <= outcomes[WrongCredentials] <= 5 + refilled
    assert outcomes[WrongCredentials] + outcomes[TooManyRequests] == 50


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_failures_counted_during_verification_hide_whether_the_password_is_right(
    monkeypatch: pytest.MonkeyPatch, password: str, sql: Sql
) -> None:
    accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    verify = passwords.verify

    def verify_while_others_fail(password: str, encoded: str | None) -> bool:
        for _ in range(5):
            database.one("count_failed_sign_in", **throttle.sign_in_buckets(EMAIL, "192.0.2.2"))
        return verify(password, encoded)

    monkeypatch.setattr(passwords, "verify", verify_while_others_fail)
    with pytest.raises(TooManyRequests):
        accounts.sign_in(EMAIL, password, ADDRESS)
    assert sql("SELECT count(*) FROM sessions") == [[1]]
    # Otherwise the address's remaining attempts would show whether the password was right.
    assert sql("SELECT 1 FROM rate_limits WHERE bucket = :b AND tokens < 30", b=f"address:{ADDRESS}") == []


def test_concurrent_failures_for_emails_and_addresses_never_deadlock() -> None:
    def fail(number: int) -> int:
        for i in range(20):
            buckets = throttle.sign_in_buckets(
                f"{(number + i) % 3}@example.com", f"192.0.2.{(number * i) % 3}"
            )
            database.only("count_failed_sign_in", **buckets)
        return number

    assert run_concurrently(6, fail) == [0, 1, 2, 3, 4, 5]


def test_account_deactivated_during_verification_opens_no_session(
    monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    user_id = database.only("account", email=EMAIL)["id"]
    checked = passwords.verify

    def check_while_it_changes(password: str, encoded: str | None) -> bool:
        accounts.update_user(uuid4(), user_id, {"status": "inactive"})
        return checked(password, encoded)

    monkeypatch.setattr(passwords, "verify", check_while_it_changes)
    with pytest.raises(AccountInactive):
        accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    assert sql("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == [[0]]


def test_password_changed_during_verification_opens_no_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    user_id = database.only("account", email=EMAIL)["id"]
    checked = passwords.verify

    def check_while_it_changes(password: str, encoded: str | None) -> bool:
        accounts.update_user(uuid4(), user_id, {"password": "Another1!"})
        return checked(password, encoded)

    monkeypatch.setattr(passwords, "verify", check_while_it_changes)
    with pytest.raises(WrongCredentials):
        accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    monkeypatch.undo()
    assert accounts.sign_in(EMAIL, "Another1!", ADDRESS).access
