"""Find the caller that a token or an API key stands for."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared import database
from shared.auth.tokens import Claims, TokenType, verify
from shared.database import Statements
from shared.errors import Forbidden, NotSignedIn

API_KEY_PREFIX = "rc_"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was presented, not yet looked up: a session's id or an API key's hash."""

    session_id: UUID | None = None
    api_key_hash: bytes | None = None
    claims: Claims | None = None

    def parameters(self) -> dict[str, Any]:
        """As the parameters of the statements that look a caller up."""
        return {"session_id": self.session_id, "api_key_hash": self.api_key_hash}


@dataclass(frozen=True, slots=True)
class Caller:
    """A living user whose session or API key is good."""

    id: UUID
    role: str

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def scope(self) -> UUID | None:
        """Whose things this caller may see: None is everybody's."""
        return None if self.is_admin else self.id


def from_bearer(bearer: str, kind: TokenType) -> Credentials:
    """Return the credentials of a bearer token or API key. Raises: NotSignedIn."""
    if kind is TokenType.ACCESS and bearer.startswith(API_KEY_PREFIX):
        return Credentials(api_key_hash=hash_api_key(bearer))
    claims = verify(bearer, kind)
    return Credentials(session_id=claims.session_id, claims=claims)


def look_up(presented: Credentials, statements: Statements = database, *, admin: bool = False) -> Caller:
    """Return the caller for these credentials.

    Args:
        statements: the caller's unit of work, to look the caller up in its transaction.

    Raises:
        NotSignedIn: the session or key was revoked, or its user deleted.
        Forbidden: `admin` is true, and the caller is not an admin.
    """
    row = statements.one("caller", **presented.parameters())
    if row is None:
        raise NotSignedIn("The session has ended. Sign in again.")
    caller = Caller(row["id"], row["role"])
    if admin and not caller.is_admin:
        raise Forbidden("Only admins may do this.")
    return caller


def new_api_key() -> tuple[str, bytes]:
    """An API key of 256 random bits, to be shown once, and the hash to store."""
    key = API_KEY_PREFIX + secrets.token_urlsafe(32)
    return key, hash_api_key(key)


def hash_api_key(key: str) -> bytes:
    """SHA-256: enough for a key that is random itself, and quick at every call."""
    return hashlib.sha256(key.encode()).digest()
