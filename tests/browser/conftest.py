"""Fixtures of the browser tests: the whole service, a front end's origin, and a page in Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from deploy.environment import ROOT
from localstack.stack import Stack
from localstack.stack_settings import Settings
from tests.support.console import Complaints
from tests.support.data_folder import data_folder
from tests.support.http_client import Client

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "no browser: install Chromium (`apt-get install chromium`) or Google Chrome,"
    " or run `.venv/bin/playwright install chromium`"
)
CONSOLE = ROOT / "build" / "console" / "index.html"
TIMEOUT_SECONDS = 30
"""For each step of a console's test, because `make test` runs six processes."""
ARGUMENTS = [
    "--no-sandbox",  # Chromium's sandbox does not run as root
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def executable(playwright: Playwright) -> str | None:
    """Return the path of Playwright's Chromium or of an installed browser, or None."""
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else next(filter(None, map(shutil.which, NAMES)), None)


# Not session-scoped: while Playwright runs, its event loop makes asyncio.run() fail in other tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@contextmanager
def running_browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_SECONDS * 1000)
    with sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            pytest.skip(MISSING)
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without cookies. The test fails on an uncaught error of the page's scripts."""
    errors = list[str]()
    context = browser.new_context()
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


class _Blank(BaseHTTPRequestHandler):
    """Serve an empty HTML page at every path."""

    def do_GET(self) -> None:
        body = b"<!DOCTYPE html><title>A front end</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def _serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="package")
def frontend() -> Iterator[str]:
    """The service's FRONTEND_URL, which serves a blank page."""
    with _serving() as origin:
        yield origin


@pytest.fixture(scope="package")
def other_origin() -> Iterator[str]:
    """An origin other than FRONTEND_URL, which serves a blank page."""
    with _serving() as origin:
        yield origin


@contextmanager
def running_stack(frontend: str) -> Iterator[Stack]:
    """Run the whole service on free ports for pages of `frontend`."""
    with data_folder() as folder:
        settings = Settings(
            port=0, edge_port=0, data_dir=folder, batch_retry=1, variables={"FRONTEND_URL": frontend}
        )
        with Stack(settings) as running:
            yield running


@pytest.fixture(scope="package")
def stack(browser: Browser, frontend: str) -> Iterator[Stack]:
    """The service that the tests share. Not started without a browser."""
    with running_stack(frontend) as running:
        yield running


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    """The service's URL on the front end's site, because browsers send a Lax cookie only within a site."""
    return stack.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def context(browser: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser without cookies, whose pages are the console."""
    context = browser.new_context(
        base_url=url,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
        viewport={"width": 1280, "height": 900},
    )
    context.set_default_timeout(TIMEOUT_SECONDS * 1000)
    yield context
    context.close()


@pytest.fixture
def complaints(context: BrowserContext) -> Iterator[Complaints]:
    """What the browser reports about the console. The test fails on anything unexpected."""
    complaints = Complaints(context)
    yield complaints
    assert complaints.unexpected == []


@pytest.fixture
def console(context: BrowserContext, complaints: Complaints) -> Page:
    """A tab that is not signed in. It shows nothing yet."""
    assert CONSOLE.exists(), f"the console is not built: run `make {CONSOLE.relative_to(ROOT)}`"
    return context.new_page()


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Iterator[Client]:
    """The default admin's client of the API."""
    with Client(stack.url) as client:
        assert client.sign_in("defaultadmin@admin.as", "adminpass").is_success
        yield client
