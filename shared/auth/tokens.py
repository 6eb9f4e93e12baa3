"""Access and refresh tokens: JSON Web Tokens (RFC 7519), signed with HMAC-SHA256."""

import base64
import hmac
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from uuid import UUID, uuid4

import jwt

from shared.errors import NotSignedIn
from shared.settings import settings

ISSUER = "restcalculator"
AUDIENCE = "restcalculator-api"
ALGORITHM = "HS256"
LEEWAY = 5
"""Seconds by which the clocks of two servers may differ."""


class TokenType(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


LIFETIME = {TokenType.ACCESS: 15 * 60, TokenType.REFRESH: 30 * 24 * 3600}
"""Seconds until a token expires."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token. `role` informs clients; the service reads the role in the database.

    `expires_at` is in seconds since 1970.
    """

    kind: str
    expires_at: int
    token_id: UUID
    session_id: UUID
    user_id: UUID
    role: str
    csrf: str


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The two tokens of one sign-in or refresh, and the CSRF token that both carry."""

    access: str
    refresh: str
    refresh_id: UUID
    csrf: str


def issue(session_id: UUID, user_id: UUID, role: str, refresh_id: UUID | None = None) -> TokenPair:
    """Issue the tokens of a session. Both carry the same CSRF token, so a page needs only one.

    The CSRF token is derived from the refresh token's id: two browser tabs that refresh at once share the
    cookies, so both must get the same one.
    """
    refresh_id = refresh_id or uuid4()
    csrf = _csrf_token(refresh_id)
    common = {"sid": str(session_id), "sub": str(user_id), "role": role, "csrf": csrf}
    return TokenPair(
        access=_encode(common, TokenType.ACCESS, uuid4()),
        refresh=_encode(common, TokenType.REFRESH, refresh_id),
        refresh_id=refresh_id,
        csrf=csrf,
    )


def verify(token: str, kind: TokenType) -> Claims:
    """Verify a token's signature, expiry and type, and return its claims.

    Raises:
        NotSignedIn: the token is invalid, expired or of the other type.
    """
    try:
        claims = _decode_with_any_key(token)
        if claims.expires_at <= time.time() - LEEWAY:  # claims from the cache may have expired since
            raise jwt.ExpiredSignatureError
        if claims.kind != kind:
            raise NotSignedIn(
                f"This is not an {kind} token." if kind == "access" else "This is not a refresh token."
            )
        return claims
    except jwt.ExpiredSignatureError:
        raise NotSignedIn("The token has expired. Refresh it or sign in again.") from None
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError):
        raise NotSignedIn("The token is not valid. Sign in again.") from None


def _decode_with_any_key(token: str) -> Claims:
    """Return the claims of a token signed by the current or the previous key. Raises: as `_decode`."""
    try:
        return _decode(token, settings().signing_key())
    except jwt.InvalidSignatureError:
        old = settings().jwt_secret_key_old
        if old is None:
            raise
        return _decode(token, old.get_secret_value())


@lru_cache(maxsize=1024)
def _decode(token: str, secret: str) -> Claims:
    """Verify a token's signature and return its claims.

    The cache halves the time before a charge: a client sends the same access token for 15 minutes.

    Raises: jwt.InvalidTokenError; KeyError, ValueError, TypeError or AttributeError for malformed claims.
    """
    claims = jwt.decode(
        token,
        secret,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=LEEWAY,
        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
    )
    return Claims(
        kind=str(claims.get("type")),
        expires_at=claims["exp"],
        token_id=UUID(claims["jti"]),
        session_id=UUID(claims["sid"]),
        user_id=UUID(claims["sub"]),
        role=str(claims["role"]),
        csrf=str(claims["csrf"]),
    )


def _csrf_token(refresh_id: UUID) -> str:
    digest = hmac.digest(settings().signing_key().encode(), b"csrf " + refresh_id.bytes, "sha256")
    return base64.urlsafe_b64encode(digest[:24]).decode()


def _encode(claims: dict[str, str], kind: TokenType, token_id: UUID) -> str:
    now = int(time.time())
    return jwt.encode(
        {
            **claims,
            "type": kind.value,
            "jti": str(token_id),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + LIFETIME[kind],
        },
        settings().signing_key(),
        ALGORITHM,
    )
