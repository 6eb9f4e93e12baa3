"""Reading credentials from a request: a cookie with its CSRF token, a bearer token, or an API key."""

import hashlib
from uuid import uuid4

import pytest

from shared.auth import caller as auth
from shared.auth.tokens import TokenPair, TokenType, issue
from shared.errors import CsrfMismatch, NotSignedIn
from shared.http.cookies import sign_in_cookies, sign_out_cookies
from shared.http.credentials import read_credentials
from shared.settings import settings

SAFE, UNSAFE = ["GET", "HEAD"], ["POST", "PUT", "PATCH", "DELETE"]
SESSION = uuid4()


@pytest.fixture
def pair() -> TokenPair:
    return issue(SESSION, uuid4(), "client")


def cookies(pair: TokenPair) -> dict[str, str]:
    return {"access_token_cookie": pair.access, "refresh_token_cookie": pair.refresh}


@pytest.mark.parametrize("method", SAFE)
def test_safe_method_needs_only_the_cookie(pair: TokenPair, method: str) -> None:
    assert read_credentials({}, cookies(pair), method).session_id == SESSION


@pytest.mark.parametrize("method", UNSAFE)
def test_unsafe_method_needs_the_csrf_token_and_the_cookie(pair: TokenPair, method: str) -> None:
    presented = read_credentials({"x-csrf-token": pair.csrf}, cookies(pair), method)
    assert presented.session_id == SESSION
    for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": pair.csrf + "x"}, {"x-csrf-token": "é\ud7ff"}):
        with pytest.raises(CsrfMismatch):
            read_credentials(headers, cookies(pair), method)


def test_csrf_token_of_another_sign_in_is_rejected(pair: TokenPair) -> None:
    other = issue(SESSION, uuid4(), "client")
    with pytest.raises(CsrfMismatch):
        read_credentials({"x-csrf-token": other.csrf}, cookies(pair), "POST")


def test_each_token_type_is_accepted_only_from_its_own_cookie(pair: TokenPair) -> None:
    headers = {"x-csrf-token": pair.csrf}
    presented = read_credentials(headers, cookies(pair), "POST", TokenType.REFRESH)
    assert presented.claims is not None
    assert presented.claims.token_id == pair.refresh_id
    swapped = {"access_token_cookie": pair.refresh, "refresh_token_cookie": pair.access}
    for kind in TokenType:
        with pytest.raises(NotSignedIn):
            read_credentials(headers, swapped, "GET", kind)


@pytest.mark.parametrize("method", SAFE + UNSAFE)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_token_needs_no_csrf_token(pair: TokenPair, method: str, scheme: str) -> None:
    headers = {"authorization": f"{scheme} {pair.access}"}
    assert read_credentials(headers, {}, method).session_id == SESSION


def test_bearer_refresh_token_is_accepted_only_for_a_refresh(pair: TokenPair) -> None:
    headers = {"authorization": f"Bearer {pair.refresh}"}
    assert read_credentials(headers, {}, "POST", TokenType.REFRESH).session_id == SESSION
    with pytest.raises(NotSignedIn):
        read_credentials(headers, {}, "POST")


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Bearer x.y.z", "rc_key"])
def test_invalid_authorization_header_is_rejected_despite_a_valid_cookie(
    pair: TokenPair, header: str
) -> None:
    with pytest.raises(NotSignedIn):
        read_credentials({"authorization": header}, cookies(pair), "GET")


@pytest.mark.parametrize("given", [{}, {"access_token_cookie": ""}, {"other": "x"}])
def test_request_without_credentials_raises_not_signed_in(given: dict[str, str]) -> None:
    with pytest.raises(NotSignedIn):
        read_credentials({}, given, "GET")


def test_api_key_credentials_contain_only_its_hash() -> None:
    key, key_hash = auth.new_api_key()
    presented = read_credentials({"authorization": f"Bearer {key}"}, {}, "POST")
    assert presented == auth.Credentials(api_key_hash=key_hash)
    assert key_hash == hashlib.sha256(key.encode()).digest()


def test_api_key_has_256_random_bits_after_its_prefix() -> None:
    keys = {auth.new_api_key()[0] for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("rc_") and len(key) == 3 + 43 for key in keys)


def test_api_key_is_rejected_for_a_refresh() -> None:
    key, _ = auth.new_api_key()
    with pytest.raises(NotSignedIn):
        read_credentials({"authorization": f"Bearer {key}"}, {}, "POST", TokenType.REFRESH)


def test_scripts_can_read_the_csrf_cookies_but_not_the_token_cookies(pair: TokenPair) -> None:
    set_cookies = {cookie.name: cookie for cookie in sign_in_cookies(pair)}
    assert {name for name, cookie in set_cookies.items() if cookie.http_only} == {
        "access_token_cookie",
        "refresh_token_cookie",
    }
    assert {name: set_cookies[name].value for name in ("csrf_access_token", "csrf_refresh_token")} == {
        "csrf_access_token": pair.csrf,
        "csrf_refresh_token": pair.csrf,
    }
    assert {cookie.path for cookie in set_cookies.values()} == {"/"}


@pytest.mark.parametrize(
    ("config_type", "attributes"),
    [("local", ["SameSite=Lax"]), ("production", ["Secure", "SameSite=None", "Partitioned"])],
)
def test_cookies_are_secure_and_cross_site_in_production_and_lax_locally(
    environment: pytest.MonkeyPatch, pair: TokenPair, config_type: str, attributes: list[str]
) -> None:
    environment.setenv("CONFIG_TYPE", config_type)
    settings.cache_clear()
    for cookie in sign_in_cookies(pair) + sign_out_cookies():
        given = [part for part in str(cookie).split("; ")[1:] if not part.startswith(("Path=", "Max-Age="))]
        assert [part for part in given if part != "HttpOnly"] == attributes


def test_sign_out_clears_exactly_the_cookies_that_sign_in_sets(pair: TokenPair) -> None:
    cleared = sign_out_cookies()
    assert {cookie.name for cookie in cleared} == {cookie.name for cookie in sign_in_cookies(pair)}
    assert all(cookie.value == "" for cookie in cleared)
    for cookie in cleared:
        assert "Max-Age=0" in str(cookie), str(cookie)
