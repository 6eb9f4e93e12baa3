"""The cookies that sign a browser in and out (RFC 6265)."""

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from shared.auth.tokens import LIFETIME, TokenPair, TokenType
from shared.settings import settings

TOKEN_COOKIES = {TokenType.ACCESS: "access_token_cookie", TokenType.REFRESH: "refresh_token_cookie"}
CSRF_COOKIES = {TokenType.ACCESS: "csrf_access_token", TokenType.REFRESH: "csrf_refresh_token"}


def sign_in_cookies(pair: TokenPair) -> list[Cookie]:
    """Return the four cookies of a sign-in. Scripts can read the CSRF cookies, but no token."""
    return [
        _cookie(TOKEN_COOKIES[TokenType.ACCESS], pair.access, LIFETIME[TokenType.ACCESS], http_only=True),
        _cookie(TOKEN_COOKIES[TokenType.REFRESH], pair.refresh, LIFETIME[TokenType.REFRESH], http_only=True),
        _cookie(CSRF_COOKIES[TokenType.ACCESS], pair.csrf, LIFETIME[TokenType.ACCESS]),
        _cookie(CSRF_COOKIES[TokenType.REFRESH], pair.csrf, LIFETIME[TokenType.REFRESH]),
    ]


def sign_out_cookies() -> list[Cookie]:
    """Return cookies that delete those of a sign-in. Browsers require the same attributes for this."""
    return [
        *(_cookie(name, "", 0, http_only=True) for name in TOKEN_COOKIES.values()),
        *(_cookie(name, "", 0) for name in CSRF_COOKIES.values()),
    ]


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
