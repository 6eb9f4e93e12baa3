"""Password hashes and the password policy.

Argon2id with 19 MiB, t=2 and p=1, as the OWASP Password Storage Cheat Sheet recommends.
"""

import hmac

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.schemas.field_types import PASSWORD_LENGTH
from shared.settings import settings

MINIMUM, MAXIMUM = PASSWORD_LENGTH
SYMBOLS = "@$!%*?&"
POLICY = f"A password has {MINIMUM} to {MAXIMUM} characters, with a digit and one of {SYMBOLS} among them."

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified when an e-mail is unknown, so that the response takes as long as for a wrong password.
_DUMMY_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Jg4DkPnYuJ2hY3tGvDHJkJ9Wy6rKpM0w3yBYwQbEMZQ"
)


def complies(password: str) -> bool:
    """Whether a password follows POLICY."""
    return (
        MINIMUM <= len(password) <= MAXIMUM
        and any(c.isdigit() for c in password)
        and any(c in SYMBOLS for c in password)
    )


def hash_password(password: str) -> str:
    """Return the encoded Argon2id hash, with its parameters and salt."""
    return _hasher.hash(password)


def verify(password: str, encoded: str | None) -> bool:
    """Whether the hash matches the password. No hash (None) matches none, after the same time."""
    try:
        return _hasher.verify(encoded or _DUMMY_HASH, password) and encoded is not None
    except (VerificationError, InvalidHashError):
        return False


def digest(password: str) -> str:
    """Return a keyed hash by which a retried request is recognized. Without the key, it tests no guess."""
    return hmac.digest(settings().signing_key().encode(), password.encode(), "sha256").hex()


def outdated(encoded: str) -> bool:
    """Whether the hash was made with older parameters."""
    return _hasher.check_needs_rehash(encoded)
