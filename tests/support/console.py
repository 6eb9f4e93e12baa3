"""The console as its users see it: signing in, moving between pages, and what the browser complains about."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from playwright.sync_api import APIResponse, BrowserContext, Locator, Page, Route, expect

from tests.support.eventually import eventually
from tests.support.http_client import API, PASSWORD, Client, new_email

SIGNED_OUT = "status of 401"
"""Part of Chromium's message for the console's first request without a session. It is expected."""


class Complaints:
    """What Chromium reports about all pages of a context: uncaught errors, console errors, CSP violations."""

    def __init__(self, context: BrowserContext) -> None:
        self._texts = list[str]()
        self._expected = [SIGNED_OUT]
        context.on("weberror", lambda error: self._texts.append(str(error.error)))
        context.on("console", lambda message: self._note(message.type, message.text))

    def expect(self, text: str) -> None:
        """Accept messages that contain the text."""
        self._expected.append(text)

    @property
    def unexpected(self) -> Sequence[str]:
        return [text for text in self._texts if not any(one in text for one in self._expected)]

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self._texts.append(text)


def fill_sign_in(place: Page | Locator, email: str, password: str = PASSWORD) -> None:
    """Fill the form of the sign-in page or dialog, and send it."""
    place.get_by_label("E-mail").fill(email)
    place.get_by_label("Password").fill(password)
    place.get_by_role("button", name="Continue").click()


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in by the API, and open the console."""
    body = {"email": email, "password": password}
    assert page.request.post("/login", data=body).ok
    page.goto("/")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def drop_access_token(context: BrowserContext) -> None:
    """Drop the cookies that the browser drops after 15 minutes. A refresh sets them again."""
    for name in ("access_token_cookie", "csrf_access_token"):
        context.clear_cookies(name=name)


@contextmanager
def new_client(page: Page, admin: Client, balance: int = 20) -> Iterator[Client]:
    """Create an account and sign it in in the browser. Yield the account's client of the API."""
    email = new_email()
    body = {"email": email, "password": PASSWORD, "balance": balance}
    assert admin.post(f"{API}/users", json=body).status_code == 201
    sign_in(page, email)
    with Client(str(admin.base_url)) as api:
        assert api.sign_in(email).is_success
        yield api


def open_page(page: Page, name: str) -> None:
    """Follow the link of the navigation to a page."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def balance(page: Page) -> Locator:
    """The balance at the top of each page."""
    return page.get_by_role("group", name="Balance").locator("strong")


def shown_balance(page: Page) -> Decimal:
    return Decimal(balance(page).inner_text().replace(",", ""))


def rows(page: Page, table: str) -> Locator:
    """The rows of a list, without its header."""
    return page.get_by_role("table", name=table).locator("tbody tr")


def compute(page: Page, *numbers: str) -> None:
    """Fill the form of the page Compute, and send it."""
    fill_numbers(page, *numbers)
    send_numbers(page)


def fill_numbers(page: Page, *numbers: str) -> None:
    """Fill the form, which the page shows after it has read the session and the operations.

    A test fills it before it clears cookies or goes offline, so that only the call is affected.
    """
    for position, number in enumerate(numbers, 1):
        page.get_by_label(f"Number {position}", exact=True).fill(number)


def send_numbers(page: Page) -> None:
    page.get_by_role("button", name="Compute", exact=True).click()


def result(page: Page) -> Locator:
    """The result of a call, and what it cost."""
    return page.get_by_role("region", name="Result")


def figure(container: Locator, name: str) -> Locator:
    """The value beside a name in a list of facts."""
    pair = container.locator("dl > div").filter(
        has=container.page.locator("dt", has_text=re.compile(f"^{name}$"))
    )
    return pair.locator("dd")


def hold_next(page: Page, url: str) -> list[Route]:
    """Hold the next request to a URL, and continue later ones. Return the list that will contain it."""
    held = list[Route]()

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(url, hold)
    return held


def first(page: Page, held: list[Route]) -> Route:
    """Wait for the request that is held. Return it."""
    eventually(lambda: page.evaluate("true") and held)  # evaluate() lets Playwright call `hold`
    return held[0]


def respond_late(page: Page, held: Route, older: APIResponse) -> None:
    """Respond to a held request with an older response, and wait until the page has processed it."""
    with page.expect_response(lambda response: response.request == held.request) as late:
        held.fulfill(response=older)
    late.value.finished()
    after_frame(page)


def after_frame(page: Page) -> None:
    """Wait until the page has rendered a frame, and has run the tasks that were waiting."""
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")
