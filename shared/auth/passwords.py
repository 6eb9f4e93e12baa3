"""Password hashes and the password policy.

Argon2id with 19 MiB, t=2 and p=1, as the OWASP Password Storage Cheat Sheet recommends.
"""

import hmac
import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.schemas.field_types import PASSWORD_RULES
from shared.settings import settings

_length, *_parts = PASSWORD_RULES
POLICY = f"A password has {_length}, including {' and '.join(_parts)}."

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified when an e-mail is unknown, so that the response takes as long as for a wrong password.
_DUMMY_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Jg4DkPnYuJ2hY3tGvDHJkJ9Wy6rKpM0w3yBYwQbEMZQ"
)


def complies(password: str) -> bool:
    """Return whether a password follows POLICY."""
    # A digit of any script counts.
    text = "".join("0" if character.isdigit() else character for character in password)
    return all(re.search(pattern, text) for pattern in PASSWORD_RULES.values())


def hash_password(password: str) -> str:
    """Return the encoded Argon2id hash, with its parameters and salt."""
    return _hasher.hash(password)


def verify(password: str, encoded: str | None) -> bool:
    """Return whether the password matches the hash.

    Without a hash (None), return False after the same time, so that the time does not reveal unknown e-mails.
    """
    try:
        return _hasher.verify(encoded or _DUMMY_HASH, password) and encoded is not None
    except (VerificationError, InvalidHashError):
        return False


def digest(password: str) -> str:
    """Return a keyed hash that stands for the password in a request's fingerprint.

    It is fast, but an attacker needs the key to test guesses with it.
    """
    return hmac.digest(settings().signing_key().encode(), password.encode(), "sha256").hex()


def outdated(encoded: str) -> bool:
    """Return whether the hash has other parameters than new hashes."""
    return _hasher.check_needs_rehash(encoded)
