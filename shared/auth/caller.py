"""Look up the caller of a request by its token or API key."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared import database
from shared.auth.tokens import Claims, TokenType, verify
from shared.database import Statements
from shared.errors import Forbidden, InsufficientScope, NotSignedIn
from shared.schemas.field_types import Scope

API_KEY_PREFIX = "rc_"
NOT_SIGNED_IN_DETAIL = "The session has ended or the API key is revoked. Sign in again, or use another key."


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a request, before the lookup: the id of a session or the hash of an API key."""

    session_id: UUID | None = None
    api_key_hash: bytes | None = None
    claims: Claims | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters for the statements that look up a caller."""
        return {"session_id": self.session_id, "api_key_hash": self.api_key_hash}


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a valid session or API key.

    `role` is what the caller may do: with an API key without the scope `admin`, an admin acts as a client.
    `session_id` is None for an API key; `api_key_id` and `scopes` are None for a session.
    """

    id: UUID
    role: str
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    scopes: frozenset[Scope] | None = None

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def admin_id(self) -> UUID | None:
        """The admin in the audit log; None for a client."""
        return self.id if self.is_admin else None

    @property
    def visible_owner(self) -> UUID | None:
        """The owner whose rows the caller may see; None for the rows of all users."""
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
        NotSignedIn: the session or the key was revoked, or the user was deleted.
        Forbidden: `admin` is true, and the user is not an admin.
    """
    statement = "caller_by_key" if presented.api_key_hash else "caller"
    row = statements.one(statement, **presented.parameters())
    if row is None:
        raise NotSignedIn(NOT_SIGNED_IN_DETAIL)
    if admin and row["role"] != "admin":
        raise Forbidden("Only admins may do this.")
    if row["api_key_id"] is None:
        return Caller(row["id"], row["role"], presented.session_id)
    role = row["role"] if "admin" in row["scopes"] else "client"
    return Caller(row["id"], role, None, row["api_key_id"], frozenset(row["scopes"]))


def check_scope(caller: Caller, scope: Scope | None) -> None:
    """Check that an API key has a scope. A session has all scopes.

    Args:
        scope: the scope that the endpoint requires; None for an endpoint that accepts no API key.

    Raises:
        InsufficientScope: the API key lacks it.
    """
    if caller.scopes is not None and scope not in caller.scopes:
        raise insufficient_scope(scope)


def check_own_key(caller: Caller, api_key_id: UUID) -> None:
    """Check that an API key acts on itself. A session may act on all keys of its user.

    Raises:
        InsufficientScope: the caller's API key is another one.
    """
    if caller.api_key_id not in (None, api_key_id):
        raise InsufficientScope("An API key can do this only to itself. Sign in with POST /login.")


def insufficient_scope(scope: Scope | None) -> InsufficientScope:
    """Return the error for an API key that lacks a scope, or that no scope allows to call the endpoint."""
    if scope is None:
        return InsufficientScope("This endpoint accepts no API key. Sign in with POST /login.")
    return InsufficientScope(f"This API key lacks the scope {scope!r}. Create a key that has it.")


def new_api_key() -> tuple[str, bytes]:
    """Return a new API key of 256 random bits, and its hash."""
    key = API_KEY_PREFIX + secrets.token_urlsafe(32)
    return key, hash_api_key(key)


def hash_api_key(key: str) -> bytes:
    """Return the SHA-256 of an API key. A random key needs no slow password hash."""
    return hashlib.sha256(key.encode()).digest()
