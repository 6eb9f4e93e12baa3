"""The page at /docs as its readers use it: opening routes, trying them, and reading the responses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Request, expect


@dataclass(frozen=True)
class Shown:
    """The response that the page shows below a tried route."""

    status: int
    body: Any


class DocsPage:
    """A tab that shows /docs after `open`.

    Attributes:
        requests: all requests of the tab.
        credentials: the part of the page that shows who sends the tried requests.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests = list[Request]()
        # By its element: to find a role, Playwright examines each of the page's thousands of elements.
        self.credentials = page.locator("header")
        page.on("request", lambda request: self.requests.append(request))

    def open(self) -> None:
        self.page.goto("/docs")
        expect(self.page.locator("h1")).to_be_visible()

    def button(self, name: str) -> Locator:
        """Return a button of the credentials."""
        return self.credentials.get_by_role("button", name=name)

    def open_route(self, operation: str) -> Locator:
        """Open a route by its operationId, and return its part of the page."""
        route = self.page.locator(f"[id^=operations-][id$=-{operation}]")
        route.locator(".opblock-summary-control").click()
        return route

    def run(
        self, operation: str, *, body: Mapping[str, Any] | None = None, file: str = "", **parameters: str
    ) -> Shown:
        """Open a route, fill in its form, execute it, and return the response that the page shows."""
        route = self.open_route(operation)
        for name, value in parameters.items():
            route.get_by_role("textbox", name=name, exact=True).fill(value)
        if body is not None:
            route.get_by_role("textbox", name="Request body").fill(json.dumps(body))
        if file:
            upload: Any = {"name": "a.csv", "mimeType": "text/csv", "buffer": file.encode()}
            route.get_by_label("file", exact=True).set_input_files(upload)
        execute = route.get_by_role("button", name="Execute")
        expect(execute).to_be_visible()
        response = route.locator(".live-responses-table tbody")
        clear = route.get_by_role("button", name="Clear", exact=True)
        if clear.is_visible():  # the route shows the response to an earlier request
            clear.click()
            expect(response).to_have_count(0)
        execute.click()
        status = int(response.locator(".response-col_status").inner_text())
        code = response.locator(".highlight-code pre")
        body = json.loads(code.inner_text(), parse_float=Decimal) if code.count() else None
        # Swagger UI renders all open routes at each change.
        route.locator(".opblock-summary-control").click()
        return Shown(status, body)

    def sent(self, method: str, path_end: str) -> list[Request]:
        """Return the tab's requests with a method and the end of a path."""
        requests = (request for request in self.requests if request.method == method)
        return [request for request in requests if urlsplit(request.url).path.endswith(path_end)]
