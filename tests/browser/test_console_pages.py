"""Every page of the console with a month of data, and /docs: accessible, narrow, quiet, and on screenshots.

The screenshots are in build/screenshots: each page in both themes at both widths.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from deploy.environment import ROOT
from localstack.demo import PASSWORD, fill
from localstack.stack import Stack
from tests.browser.conftest import running_stack
from tests.support.audit import run_audit
from tests.support.console import sign_in
from tests.support.docs_page import DocsPage
from tests.support.eventually import eventually
from tests.support.http_client import API, Client
from tests.support.receiver import Receiver, status
from tests.support.webhooks import create_webhook

AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"
ADMIN = ("defaultadmin@admin.as", "adminpass")
CLIENT = ("ada@example.com", PASSWORD)
SIZES = ((1280, 900), (320, 1200))
THEMES: tuple[Any, ...] = ("light", "dark")

AXE_SCRIPT = """
async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
"""
SETTLED_SCRIPT = """
() => new Promise((resolve) => {
  const isSettled = () => document.querySelector("h1") && !document.querySelector("[aria-busy=true]");
  requestAnimationFrame(() => setTimeout(() => resolve(Boolean(isSettled()))));
})
"""
OVERFLOW_SCRIPT = """
() => {
  const isScrolled = (one) =>
    one.scrollWidth > one.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(one).overflowX);
  const scrolled = [...document.querySelectorAll("body *")].filter(isScrolled);
  if (document.documentElement.scrollWidth > innerWidth) scrolled.push(document.body);
  return scrolled.map((one) => one.outerHTML.slice(0, 150));
}
"""


@pytest.fixture(scope="module")
def stack(browser: Browser, frontend: str) -> Iterator[Stack]:
    """A service of its own: nothing else may write while `demo` moves times."""
    with running_stack(frontend) as running:
        yield running


@pytest.fixture(scope="module")
def demo(stack: Stack) -> None:
    """A month of use, after which balances and usage match the ledger."""
    fill(stack.url, stack.environment["AWS_PGSQL_PATH"], ADMIN[1])
    audit = run_audit(stack)
    assert audit.returncode == 0, audit.stdout


class Requests:
    """The requests of a page: how many it has sent, and those without a complete response."""

    def __init__(self, page: Page) -> None:
        self.sent = 0
        self.pending = set[Request]()
        page.on("request", self._add)
        page.on("requestfinished", lambda request: self.pending.discard(request))
        page.on("requestfailed", lambda request: self.pending.discard(request))

    def _add(self, request: Request) -> None:
        self.sent += 1
        self.pending.add(request)


@pytest.fixture
def requests(console: Page) -> Requests:
    return Requests(console)


@dataclass
class Inspector:
    """Looks at pages in both themes and widths, and collects their faults."""

    page: Page
    requests: Requests
    role: str

    def __post_init__(self) -> None:
        self.faults = list[str]()

    def visit(self, path: str, name: str, prepare: Callable[[], None] = lambda: None) -> None:
        """Open the page at a path. `prepare` opens a dialog in it."""
        self.page.goto(f"/#/{path}")
        self._settle()
        prepare()
        self.inspect(name)

    def inspect(self, name: str) -> None:
        """Inspect what the page shows after it has loaded."""
        self._settle()
        headings = self.page.get_by_role("heading", level=1, include_hidden=True).count()
        if headings != 1:
            self.faults.append(f"{name}: {headings} main headings")
        self.faults += [f"{name}: {text}" for text in self.page.get_by_role("alert").all_inner_texts()]
        for theme, size in ((theme, size) for size in SIZES for theme in THEMES):
            self.page.emulate_media(color_scheme=theme)
            self.page.set_viewport_size({"width": size[0], "height": size[1]})
            self._settle()
            view = f"{name}-{theme}-{size[0]}"
            self.page.screenshot(path=SCREENSHOTS / self.role / f"{view}.png")
            self.faults += [
                f"{view}: scrolls sideways: {html}" for html in self.page.evaluate(OVERFLOW_SCRIPT)
            ]
            if (theme, size) in zip(THEMES, SIZES, strict=True):
                self.faults += [f"{view}: {violation}" for violation in self._violations()]

    def _violations(self) -> list[str]:
        """Return what axe finds serious or critical."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text("utf-8"))
        return list(self.page.evaluate(AXE_SCRIPT))

    def _settle(self) -> None:
        """Wait until the page has rendered all responses and loads nothing."""
        eventually(self._is_settled)

    def _is_settled(self) -> bool:
        """Return whether all responses were complete before a frame in which the page sent no request."""
        sent, has_pending = self.requests.sent, bool(self.requests.pending)
        is_loaded = bool(self.page.evaluate(SETTLED_SCRIPT))
        return is_loaded and not has_pending and sent == self.requests.sent


@pytest.fixture
def inspect(console: Page, requests: Requests) -> Callable[[str], Inspector]:
    return partial(Inspector, console, requests)


def listed(page: Page) -> list[tuple[str, str]]:
    """Return the path and the name of each page in the navigation."""
    links = page.get_by_role("navigation", name="Main").locator("li a").all()
    return [(str(link.get_attribute("href"))[2:], link.inner_text()) for link in links]


def button(page: Page, name: str) -> Callable[[], None]:
    """Return a function that presses a button, which opens a dialog."""

    def press() -> None:
        page.get_by_role("button", name=name).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return press


@pytest.fixture(scope="module")
def ada(stack: Stack, demo: None) -> Iterator[Client]:
    with Client(stack.url) as client:
        assert client.sign_in(*CLIENT).is_success
        yield client


def test_page_without_a_session(console: Page, inspect: Callable[[str], Inspector]) -> None:
    inspector = inspect("signed-out")
    console.goto("/")
    inspector.inspect("sign-in")
    assert inspector.faults == []


def test_docs_with_a_tried_route(console: Page, ada: Client, inspect: Callable[[str], Inspector]) -> None:
    sign_in(console, *CLIENT)
    docs = DocsPage(console)
    docs.open()
    expect(docs.button("Sign out")).to_be_visible()
    assert docs.run("getCurrentUser").body["email"] == ada.email
    docs.open_route("getCurrentUser")
    inspector = inspect("docs")
    inspector.inspect("docs")
    assert inspector.faults == []


@pytest.fixture(scope="module")
def webhook(ada: Client) -> dict[str, Any]:
    """A webhook that the service has paused, with a delivery."""
    with Receiver.running() as receiver:
        receiver.respond = status(410, b'{"error": "this receiver has moved"}')
        created = create_webhook(ada, url=receiver.url, description="the order system")
        path = f"{API}/webhooks/{created['id']}"
        assert ada.post(f"{path}/test").status_code == 202
        eventually(lambda: ada.get(path).json()["paused"])
    return created


def test_every_page_of_a_client(
    console: Page, ada: Client, webhook: dict[str, Any], inspect: Callable[[str], Inspector]
) -> None:
    (record, *_), (task, *_) = ada.rows("records"), ada.rows("tasks")
    sign_in(console, *CLIENT)
    inspector = inspect("client")
    for path, name in listed(console):
        inspector.visit(path, name)
    inspector.visit(f"records/{record['id']}", "Record")
    inspector.visit(f"files/{task['id']}", "File")
    inspector.visit("api_keys", "New API key", button(console, "Create a key"))
    inspector.visit("webhooks", "New webhook", button(console, "Create a webhook"))
    inspector.visit(f"webhooks/{webhook['id']}", "Webhook")
    inspector.visit(f"webhooks/{webhook['id']}", "Delivery", button(console, "Details"))
    inspector.visit("nowhere", "Not found")
    assert inspector.faults == []


def test_every_page_of_an_admin(
    console: Page, ada: Client, admin: Client, inspect: Callable[[str], Inspector]
) -> None:
    record = ada.rows("records")[0]
    task = ada.rows("tasks")[0]
    operation = admin.get(f"{API}/operations?type=addition").json()["operations"][0]
    sign_in(console, *ADMIN)
    inspector = inspect("admin")
    for path, name in listed(console):
        inspector.visit(path, name)
    inspector.visit(f"users/{ada.id}", "User")
    inspector.visit(f"operations/{operation['id']}", "Price")
    inspector.visit(f"files/{task['id']}", "File")
    inspector.visit("users", "New user", button(console, "Create a user"))
    inspector.visit(f"records/{record['id']}", "Refund", button(console, "Refund …"))
    assert inspector.faults == []
