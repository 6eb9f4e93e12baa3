"""POST /login and POST /admin: sign-in, and creation of accounts."""

import httpx
import pytest

from tests.e2e.conftest import ADMIN_PASSWORD, Connect
from tests.support import expect
from tests.support.http_client import API, PASSWORD, Client, exact, new_email

WRONG = "wrong-horse-2!"
COOKIES = {
    "access_token_cookie": ("HttpOnly", 15 * 60),
    "refresh_token_cookie": ("HttpOnly", 30 * 24 * 3600),
    "csrf_access_token": (None, 15 * 60),
    "csrf_refresh_token": (None, 30 * 24 * 3600),
}


def set_cookies(response: httpx.Response) -> dict[str, tuple[str, set[str]]]:
    """Return the cookies that a response sets: name to value and attributes."""
    cookies = {}
    for header in response.headers.get_list("set-cookie"):
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        cookies[name] = (value, set(attributes))
    return cookies


def test_sign_in_with_an_unknown_email_creates_a_client_with_20_credits(anonymous: Client) -> None:
    email = new_email()
    body = exact(anonymous.sign_in(email))
    assert body["status"] == "success"
    assert body["message"]
    assert body["expires_in"] == 15 * 60
    me = anonymous.me
    assert (me["email"], me["role"], me["balance"]) == (email, "client", 20)
    (opening,) = anonymous.rows("ledger")
    assert (opening["kind"], opening["amount"], opening["balance_before"]) == ("opening", 20, 0)


def test_program_gets_its_token_in_the_body_and_no_cookies(anonymous: Client, connect: Connect) -> None:
    email = new_email()
    response = anonymous.post("/login", json={"email": email, "password": PASSWORD, "token": True})
    body = exact(response)
    assert "set-cookie" not in response.headers
    assert body["expires_in"] == 15 * 60
    program = connect(bearer=body["access_token"])
    assert program.me["email"] == email
    assert program.compute().status_code == 200, "a bearer token needs no CSRF token"


def test_sign_in_of_a_browser_returns_no_token(anonymous: Client) -> None:
    for token in ({}, {"token": False}):
        response = anonymous.post("/login", json={"email": new_email(), "password": PASSWORD, **token})
        assert "access_token" not in exact(response)
        assert set(set_cookies(response)) == set(COOKIES)
    body = {"email": new_email(), "password": PASSWORD, "token": "true"}
    expect.problem(anonymous.post("/login", json=body), 422)


def test_second_sign_in_uses_the_same_account(anonymous: Client, connect: Connect) -> None:
    email = new_email()
    anonymous.sign_in(email)
    again = connect()
    assert again.sign_in(email).status_code == 200
    assert again.me == anonymous.me


def test_sign_in_ignores_case_and_spaces_of_an_email(anonymous: Client, connect: Connect) -> None:
    email = new_email()
    anonymous.sign_in(email.upper())
    again = connect()
    assert again.sign_in(f" {email.title()} ").status_code == 200
    assert again.me == anonymous.me
    assert again.me["email"] == email


def test_sign_in_normalizes_unicode_and_rejects_invisible_characters(
    anonymous: Client, connect: Connect
) -> None:
    composed = f"\u00e9{new_email()}"
    anonymous.sign_in(composed)
    again = connect()
    assert again.sign_in(composed.replace("\u00e9", "e\u0301")).status_code == 200
    assert again.me == anonymous.me
    expect.problem(connect().sign_in(composed.replace("@", "\u200b@")), 422)


@pytest.mark.parametrize(
    "password",
    ["short1!", "no-digit-here!", "nosymbol123", "x" * 127 + "1!"],
    ids=["too short", "no digit", "no symbol", "too long"],
)
def test_non_compliant_password_returns_401_with_the_policy(isolated_client: Client, password: str) -> None:
    email = new_email()
    problem = expect.problem(isolated_client.sign_in(email, password), 401)
    assert "8 to 128 characters" in problem["detail"]
    assert "digit" in problem["detail"]
    assert "@$!%*?&" in problem["detail"]
    assert isolated_client.sign_in(email).status_code == 200, (
        "the rejected sign-in must not create an account"
    )


def test_sign_in_sets_four_cookies_of_which_scripts_can_read_only_the_csrf_tokens(
    anonymous: Client, url: str
) -> None:
    response = anonymous.sign_in(new_email())
    cookies = set_cookies(response)
    site = {"Secure", "SameSite=None", "Partitioned"} if url.startswith("https") else {"SameSite=Lax"}
    assert cookies.keys() == COOKIES.keys()
    for name, (http_only, max_age) in COOKIES.items():
        expected = site | {"Path=/", f"Max-Age={max_age}"} | ({http_only} if http_only else set())
        assert cookies[name][1] == expected, name
    assert cookies["csrf_access_token"][0] == response.json()["csrf_token"]


def test_admin_password_creates_an_admin_with_100_credits(anonymous: Client, isolated_client: Client) -> None:
    email = new_email()
    response = isolated_client.post(
        "/admin", json={"email": email, "password": PASSWORD, "admin_password": ADMIN_PASSWORD}
    )
    assert response.status_code == 201, response.text
    created = exact(response)
    assert (created["email"], created["role"], created["balance"]) == (email, "admin", 100)
    assert response.headers["Location"] == f"{API}/users/{created['id']}"
    assert anonymous.sign_in(email).status_code == 200
    assert anonymous.get(response.headers["Location"]).json() == response.json()


def test_wrong_admin_password_creates_no_admin(isolated_client: Client) -> None:
    email = new_email()
    body = {"email": email, "password": PASSWORD, "admin_password": "wrong"}
    expect.problem(isolated_client.post("/admin", json=body), 401)
    assert isolated_client.sign_in(email).status_code == 200
    assert isolated_client.me["role"] == "client"


def test_admin_with_an_email_in_use_returns_409(client: Client, isolated_client: Client) -> None:
    body = {"email": client.email, "password": PASSWORD, "admin_password": ADMIN_PASSWORD}
    expect.problem(isolated_client.post("/admin", json=body), 409)
    assert client.me["role"] == "client"
