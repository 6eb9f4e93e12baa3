"""POST /login and POST /admin: who gets in, and who gets an account."""

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
    """The cookies that a response sets: name to value and attributes."""
    cookies = {}
    for header in response.headers.get_list("set-cookie"):
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        cookies[name] = (value, set(attributes))
    return cookies


def test_an_unknown_email_with_a_compliant_password_becomes_a_client_with_credit_20(anybody: Client) -> None:
    email = new_email()
    answer = exact(anybody.sign_in(email))
    assert answer["status"] == "success"
    assert answer["message"]
    assert answer["expires_in"] == 15 * 60
    me = anybody.me
    assert (me["email"], me["role"], me["balance"]) == (email, "client", 20)
    (opening,) = anybody.rows("ledger")
    assert (opening["kind"], opening["amount"], opening["balance_before"]) == ("opening", 20, 0)


def test_a_second_sign_in_finds_the_same_account(anybody: Client, connect: Connect) -> None:
    email = new_email()
    anybody.sign_in(email)
    again = connect()
    assert again.sign_in(email).status_code == 200
    assert again.me == anybody.me


def test_emails_that_differ_in_case_or_blanks_are_one_account(anybody: Client, connect: Connect) -> None:
    email = new_email()
    anybody.sign_in(email.upper())
    again = connect()
    assert again.sign_in(f" {email.title()} ").status_code == 200
    assert again.me == anybody.me
    assert again.me["email"] == email


def test_emails_that_look_the_same_are_one_account_or_refused(anybody: Client, connect: Connect) -> None:
    composed = f"\u00e9{new_email()}"
    anybody.sign_in(composed)
    again = connect()
    assert again.sign_in(composed.replace("\u00e9", "e\u0301")).status_code == 200
    assert again.me == anybody.me
    expect.problem(connect().sign_in(composed.replace("@", "\u200b@")), 422)


@pytest.mark.parametrize(
    "password",
    ["short1!", "no-digit-here!", "nosymbol123", "x" * 127 + "1!"],
    ids=["too short", "no digit", "no symbol", "too long"],
)
def test_a_password_that_does_not_comply_gets_401_with_the_policy(stranger: Client, password: str) -> None:
    email = new_email()
    told = expect.problem(stranger.sign_in(email, password), 401)
    assert "8 to 128 characters" in told["detail"]
    assert "digit" in told["detail"]
    assert "@$!%*?&" in told["detail"]
    assert stranger.sign_in(email).status_code == 200, "the refusal must not have made an account"


def test_a_sign_in_sets_four_cookies_of_which_pages_can_read_the_csrf_tokens_only(
    anybody: Client, url: str
) -> None:
    response = anybody.sign_in(new_email())
    cookies = set_cookies(response)
    site = {"Secure", "SameSite=None", "Partitioned"} if url.startswith("https") else {"SameSite=Lax"}
    assert cookies.keys() == COOKIES.keys()
    for name, (http_only, max_age) in COOKIES.items():
        wanted = site | {"Path=/", f"Max-Age={max_age}"} | ({http_only} if http_only else set())
        assert cookies[name][1] == wanted, name
    assert cookies["csrf_access_token"][0] == response.json()["csrf_token"]


def test_whoever_knows_the_admin_password_makes_an_admin_with_credit_100(
    anybody: Client, stranger: Client
) -> None:
    email = new_email()
    response = stranger.post(
        "/admin", json={"email": email, "password": PASSWORD, "admin_password": ADMIN_PASSWORD}
    )
    assert response.status_code == 201, response.text
    made = exact(response)
    assert (made["email"], made["role"], made["balance"]) == (email, "admin", 100)
    assert response.headers["Location"] == f"{API}/users/{made['id']}"
    assert anybody.sign_in(email).status_code == 200
    assert anybody.get(response.headers["Location"]).json() == response.json()


def test_a_wrong_admin_password_makes_nobody(stranger: Client) -> None:
    email = new_email()
    body = {"email": email, "password": PASSWORD, "admin_password": "wrong"}
    expect.problem(stranger.post("/admin", json=body), 401)
    assert stranger.sign_in(email).status_code == 200
    assert stranger.me["role"] == "client"


def test_an_admin_with_a_taken_email_is_a_conflict(client: Client, stranger: Client) -> None:
    body = {"email": client.email, "password": PASSWORD, "admin_password": ADMIN_PASSWORD}
    expect.problem(stranger.post("/admin", json=body), 409)
    assert client.me["role"] == "client"
