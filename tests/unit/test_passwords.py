"""Passwords: the policy, the hash, and equal run time for known and unknown accounts."""

import argon2
import pytest
from argon2.exceptions import VerifyMismatchError

from deploy import password_policy
from shared.auth import passwords


@pytest.mark.parametrize(
    "password", ["Test1234!", "a1@aaaaa", "1$" + "x" * 126, "contraseña7&", "Password٣!"]
)
def test_password_with_a_digit_and_a_symbol_complies(password: str) -> None:
    assert passwords.complies(password)


@pytest.mark.parametrize("password", ["", "a1@aaaa", "Password!", "12345678", "Test1234#", "1$" + "x" * 127])
def test_password_that_breaks_a_rule_does_not_comply(password: str) -> None:
    assert not passwords.complies(password)


def test_text_of_the_policy_lists_its_lengths_and_symbols() -> None:
    assert all(part in passwords.POLICY for part in ("8", "128", "digit", "@$!%*?&"))


def test_consoles_copy_of_the_policy_is_current() -> None:
    assert password_policy.FILE.read_text("utf-8") == password_policy.text(), (
        "run: python -m deploy.password_policy"
    )


def test_verify_accepts_a_password_only_with_its_own_hash() -> None:
    encoded = passwords.hash_password("Test1234!")
    assert passwords.verify("Test1234!", encoded)
    assert not passwords.verify("Test1234?", encoded)
    assert passwords.hash_password("Test1234!") != encoded, "the salt must differ"


def test_hash_is_argon2id_with_19_mib_2_passes_and_1_lane() -> None:
    parameters = argon2.extract_parameters(passwords.hash_password("Test1234!"))
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19 * 1024, 2, 1)


@pytest.mark.parametrize("encoded", ["", "plain", "$argon2id$v=19$m=1", "$2b$12$abcdefghijklmnopqrstuv"])
def test_verify_returns_false_for_an_invalid_hash(encoded: str) -> None:
    assert not passwords.verify("Test1234!", encoded)


def test_verify_returns_false_for_an_unknown_account() -> None:
    assert not passwords.verify("Test1234!", None)


def test_dummy_hash_has_the_parameters_of_a_real_hash() -> None:
    # verify() would reject an unreadable hash immediately, and with another exception.
    with pytest.raises(VerifyMismatchError):
        passwords._hasher.verify(passwords._DUMMY_HASH, "Test1234!")
    current = argon2.extract_parameters(passwords.hash_password("Test1234!"))
    dummy = argon2.extract_parameters(passwords._DUMMY_HASH)
    assert dummy == current


def test_verify_runs_argon2_for_an_unknown_account(monkeypatch: pytest.MonkeyPatch) -> None:
    verified_hashes = list[str]()

    class Watched(argon2.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            verified_hashes.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", Watched())
    assert not passwords.verify("Test1234!", None)
    assert verified_hashes == [passwords._DUMMY_HASH]


def test_hash_with_other_parameters_is_outdated() -> None:
    assert passwords.outdated(argon2.PasswordHasher(time_cost=1, memory_cost=8 * 1024).hash("Test1234!"))
    assert not passwords.outdated(passwords.hash_password("Test1234!"))
