"""Signing in and refreshing, by several at the same moment."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from shared import accounts, passwords, sessions
from shared.errors import TooManyRequests, WrongCredentials
from shared.unit_of_work import UnitOfWork
from tests.integration.people import Person, at_once

AnotherUow = Callable[[], UnitOfWork]
EMAIL, PASSWORD, ADDRESS = "ada@example.com", "Lovelace1!", "192.0.2.1"


def test_sign_ins_of_one_person_from_one_place_never_deadlock(
    uow: UnitOfWork, another_uow: AnotherUow
) -> None:
    accounts.sign_in(uow, EMAIL, PASSWORD, ADDRESS)

    def sign_in_often(unit: UnitOfWork, _: int) -> int:
        signed_in = 0
        for _ in range(15):
            try:
                accounts.sign_in(unit, EMAIL, PASSWORD, ADDRESS)
                signed_in += 1
            except TooManyRequests:  # more than five are at it at once: the throttle's right
                continue
        return signed_in

    assert sum(at_once(6, another_uow, sign_in_often)) >= 15


def test_a_refresh_token_used_twice_at_the_same_moment_ends_the_session(
    another_uow: AnotherUow, client: Person, uow: UnitOfWork
) -> None:
    def refresh(unit: UnitOfWork, _: int) -> bool:
        try:
            sessions.refresh(unit, client.session_id, client.refresh_id)
        except WrongCredentials:
            return False
        return True

    assert sorted(at_once(2, another_uow, refresh)) == [False, True]
    assert uow.one("caller", session_id=client.session_id, api_key_hash=None) is None


def test_a_password_that_was_changed_while_it_was_checked_opens_no_session(
    uow: UnitOfWork, another_uow: AnotherUow, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.sign_in(uow, EMAIL, PASSWORD, ADDRESS)
    user_id = uow.only("account", email=EMAIL)["id"]
    checked = passwords.verify

    def check_while_it_changes(password: str, encoded: str | None) -> bool:
        accounts.update_user(another_uow(), uuid4(), user_id, {"password": "Another1!"})
        return checked(password, encoded)

    monkeypatch.setattr(passwords, "verify", check_while_it_changes)
    with pytest.raises(WrongCredentials):
        accounts.sign_in(uow, EMAIL, PASSWORD, ADDRESS)
    monkeypatch.undo()
    assert accounts.sign_in(uow, EMAIL, "Another1!", ADDRESS).access
