"""Who is calling: credentials from a request, cookies to a response, and the roles.

A request carries an access token in a cookie (then what changes something must carry the CSRF
token too, OWASP's signed double submit), or a token or an API key as `Authorization: Bearer`.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from shared.auth.tokens import LIFETIME, Claims, TokenPair, TokenType, verify
from shared.database.unit_of_work import UnitOfWork
from shared.errors import CsrfMismatch, Forbidden, NotSignedIn
from shared.settings import settings

API_KEY_PREFIX = "rc_"
COOKIES = {TokenType.ACCESS: "access_token_cookie", TokenType.REFRESH: "refresh_token_cookie"}
CSRF_COOKIES = {TokenType.ACCESS: "csrf_access_token", TokenType.REFRESH: "csrf_refresh_token"}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


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


def credentials(
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    method: str,
    kind: TokenType = TokenType.ACCESS,
) -> Credentials:
    """What a request presents.

    Args:
        headers: with lower-case names.
        cookies: name to value.
        method: the HTTP method; what is not safe needs the CSRF token when a cookie signs it in.
        kind: which token is wanted.

    Raises:
        NotSignedIn: nothing valid was presented.
        CsrfMismatch: the CSRF token is missing or another's.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not bearer.strip():
            raise NotSignedIn("The Authorization header must be 'Bearer <token>'.")
        return _from_bearer(bearer.strip(), kind)
    token = cookies.get(COOKIES[kind])
    if not token:
        raise NotSignedIn()
    claims = verify(token, kind)
    if method not in _SAFE_METHODS and not _equal(headers.get("x-csrf-token", ""), claims.csrf):
        raise CsrfMismatch("Send the csrf_token of your sign-in as the X-CSRF-TOKEN header.")
    return Credentials(session_id=claims.session_id, claims=claims)


def look_up(uow: UnitOfWork, presented: Credentials, *, admin: bool = False) -> Caller:
    """The caller behind credentials, as the database has it now.

    Raises:
        NotSignedIn: the session or key was revoked, or its user deleted.
        Forbidden: `admin` is asked for, and this is none.
    """
    row = uow.one("caller", **presented.parameters())
    if row is None:
        raise NotSignedIn("The session has ended; sign in again.")
    caller = Caller(row["id"], row["role"])
    if admin and not caller.is_admin:
        raise Forbidden("Only an admin may do that.")
    return caller


def new_api_key() -> tuple[str, bytes]:
    """An API key of 256 random bits, to be shown once, and the hash to store."""
    key = API_KEY_PREFIX + secrets.token_urlsafe(32)
    return key, hash_api_key(key)


def hash_api_key(key: str) -> bytes:
    """SHA-256: enough for a key that is random itself, and quick at every call."""
    return hashlib.sha256(key.encode()).digest()


def sign_in_cookies(pair: TokenPair) -> list[Cookie]:
    """The four cookies of a sign-in (RFC 6265)."""
    return [
        _cookie(COOKIES[TokenType.ACCESS], pair.access, LIFETIME[TokenType.ACCESS], http_only=True),
        _cookie(COOKIES[TokenType.REFRESH], pair.refresh, LIFETIME[TokenType.REFRESH], http_only=True),
        _cookie(CSRF_COOKIES[TokenType.ACCESS], pair.csrf, LIFETIME[TokenType.ACCESS]),
        _cookie(CSRF_COOKIES[TokenType.REFRESH], pair.csrf, LIFETIME[TokenType.REFRESH]),
    ]


def sign_out_cookies() -> list[Cookie]:
    """The cookies that make a browser delete all four; it does so only if their attributes are the same."""
    return [
        *(_cookie(name, "", 0, http_only=True) for name in COOKIES.values()),
        *(_cookie(name, "", 0) for name in CSRF_COOKIES.values()),
    ]


def _from_bearer(bearer: str, kind: TokenType) -> Credentials:
    if kind is TokenType.ACCESS and bearer.startswith(API_KEY_PREFIX):
        return Credentials(api_key_hash=hash_api_key(bearer))
    claims = verify(bearer, kind)
    return Credentials(session_id=claims.session_id, claims=claims)


def _cookie(name: str, value: str, max_age: int, *, http_only: bool = False) -> Cookie:
    # Browsers accept SameSite=None only with Secure, and Secure only over TLS. Those that block third-party
    # cookies accept them with Partitioned (CHIPS), in a jar for each site that calls the API.
    production = settings().production
    return Cookie(
        name,
        value,
        path="/",
        max_age=max_age,
        secure=production,
        same_site=SameSite.NONE_MODE if production else SameSite.LAX_MODE,
        http_only=http_only,
        custom_attributes=["Partitioned"] if production else None,
    )


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
