"""Read the credentials of a request.

A request carries an access token in a cookie, a token as `Authorization: Bearer`, or an API key there.
With the cookie, a request whose method is not in SAFE_METHODS must also carry the CSRF token (OWASP's signed
double submit).
"""

import hmac
from collections.abc import Mapping

from shared.auth.caller import Credentials, from_bearer
from shared.auth.tokens import TokenType, verify
from shared.errors import CsrfMismatch, NotSignedIn
from shared.http.cookies import TOKEN_COOKIES

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def read_credentials(
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    method: str,
    kind: TokenType = TokenType.ACCESS,
) -> Credentials:
    """Return the credentials of a request.

    Args:
        headers: with lower-case names.
        cookies: name to value.
        method: the HTTP method.
        kind: the token to read.

    Raises:
        NotSignedIn: the request has no valid token or API key.
        CsrfMismatch: the CSRF token is missing, or belongs to another sign-in.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not bearer.strip():
            raise NotSignedIn("The Authorization header must be 'Bearer <token>'.")
        return from_bearer(bearer.strip(), kind)
    token = cookies.get(TOKEN_COOKIES[kind])
    if not token:
        raise NotSignedIn("Send an access token or an API key. POST /login returns a token.")
    claims = verify(token, kind)
    if method not in SAFE_METHODS and not _equal(headers.get("x-csrf-token", ""), claims.csrf):
        raise CsrfMismatch("Send the csrf_token of your sign-in in the X-CSRF-TOKEN header.")
    return Credentials(session_id=claims.session_id, claims=claims)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
