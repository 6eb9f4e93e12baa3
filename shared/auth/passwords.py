"""Password hashes and the password policy.

Argon2id with 19 MiB, t=2, p=1: the OWASP Password Storage Cheat Sheet's first choice.
"""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.schemas.field_types import PASSWORD_LENGTH

MINIMUM, MAXIMUM = PASSWORD_LENGTH
SYMBOLS = "@$!%*?&"
POLICY = f"A password has {MINIMUM} to {MAXIMUM} characters, with a digit and one of {SYMBOLS} among them."

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# The hash of nobody's password: verifying against it costs an unknown e-mail the same time.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Jg4DkPnYuJ2hY3tGvDHJkJ9Wy6rKpM0w3yBYwQbEMZQ"


def complies(password: str) -> bool:
    """Whether somebody may sign up with it."""
    return (
        MINIMUM <= len(password) <= MAXIMUM
        and any(c.isdigit() for c in password)
        and any(c in SYMBOLS for c in password)
    )


def hash_password(password: str) -> str:
    """The encoded Argon2id hash, with its parameters and salt."""
    return _hasher.hash(password)


def verify(password: str, encoded: str | None) -> bool:
    """Whether the hash is of this password; as slow for nobody (None) as for somebody."""
    try:
        return _hasher.verify(encoded or _NOBODY, password) and encoded is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(encoded: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(encoded)
