"""Which route is exposed to which of the OWASP API Security Top 10.

`python -m tests.support.access_matrix` prints the table; with `--write` it updates the table's page.

Exposure is derived from the OpenAPI document, so new routes are tested automatically. The constants below
list what the document cannot express; a test fails for a route that is missing there.
"""

import sys
from collections.abc import Callable
from enum import Enum
from typing import Any

import httpx
import pytest

from deploy.environment import ROOT
from tests.support import contract
from tests.support.declared_routes import OPERATIONS, Declared
from tests.support.http_client import Client

FOR_ADMINS = {f"{method} {path}" for method, path in contract.FOR_ADMINS}
WITHOUT_OWNER = {"GET /api/v1/operations", "GET /api/v1/operations/{id}", "GET /assets/{file}"}
"""The price list and the console's files, which have no owner."""
PAGE = ROOT / "docs" / "results" / "owasp.md"
OPTIONAL_SIGN_IN = {"POST /refresh", "POST /logout"}
"""Routes without a required sign-in that read cookies."""


class Risk(Enum):
    """A risk, with OWASP's number and a short name."""

    OBJECTS = "API1 another's object"
    TOKENS = "API2 bad token"
    CSRF = "API2 CSRF"
    GUESSING = "API2 guessing"
    MEMBERS = "API3 mass assignment"
    SIZES = "API4 oversized"
    ROLES = "API5 role"
    SCOPES = "API5 scope"
    FETCHES = "API7 SSRF"
    HEADERS = "API8 header injection"


def _is_owned(route: Declared) -> bool:
    """Return whether a route shows or changes rows of an owner to callers other than admins."""
    shows = route.has_parameter or "page_size" in route.query_parameters
    return shows and route.needs_sign_in and str(route) not in FOR_ADMINS | WITHOUT_OWNER


_IS_EXPOSED: dict[Risk, Callable[[Declared], bool]] = {
    Risk.OBJECTS: _is_owned,
    Risk.TOKENS: lambda route: route.needs_sign_in,
    Risk.CSRF: lambda route: (
        route.method != "GET" and (route.needs_sign_in or str(route) in OPTIONAL_SIGN_IN)
    ),
    Risk.GUESSING: lambda route: (
        "current_password" in route.fields or ("password" in route.fields and not route.needs_sign_in)
    ),
    Risk.MEMBERS: lambda route: route.method in ("POST", "PATCH"),
    Risk.SIZES: lambda route: True,
    Risk.ROLES: lambda route: str(route) in FOR_ADMINS,
    Risk.SCOPES: lambda route: route.needs_sign_in,
    Risk.FETCHES: lambda route: True,
    Risk.HEADERS: lambda route: True,
}


def exposed(risk: Risk) -> list[Declared]:
    """Return the routes that are exposed to a risk."""
    return [route for route in OPERATIONS if _IS_EXPOSED[risk](route)]


def at_risk(risk: Risk) -> pytest.MarkDecorator:
    """Parametrize a test with each `route` that is exposed to a risk."""
    return pytest.mark.parametrize("route", exposed(risk), ids=str)


def send_request(client: Client, route: Declared, value: str | None = None, **options: Any) -> httpx.Response:
    """Send a valid request. `value` replaces the parameters of the path."""
    if route.schema:
        options.setdefault("json", route.body())
    return client.request(route.method, route.concrete(value), **options)


def table() -> str:
    """Return the table of routes and risks as Markdown."""
    lines = ["| route | " + " | ".join(risk.value for risk in Risk) + " |"]
    lines.append("| --- |" + " :-: |" * len(Risk))
    for route in OPERATIONS:
        cells = ["✓" if _IS_EXPOSED[risk](route) else "" for risk in Risk]
        lines.append(f"| `{route}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write() -> None:
    """Replace the table at the end of PAGE."""
    current = table()
    before = PAGE.read_text("utf-8").partition(current.splitlines()[0])[0]
    PAGE.write_text(f"{before}{current}\n", "utf-8")


if __name__ == "__main__":
    write() if "--write" in sys.argv else print(table())
