"""Which route is exposed to which of the OWASP API Security Top 10: `python -m tests.support.access_matrix`.

Exposure follows from what the OpenAPI document says of a route, so a new one is tested by itself; what
can't follow from that is named here, and a test fails for a route that it does not name.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

import httpx
import pytest

from tests.support import contract
from tests.support.declared_routes import OPERATIONS, Declared
from tests.support.http_client import Client

FOR_ADMINS = {f"{method} {path}" for method, path in contract.FOR_ADMINS}
OF_EVERYBODY = {"GET /api/v1/operations", "GET /api/v1/operations/{id}"}
"""The price list: it has no owner."""
WITH_TOKENS_OF_ITS_OWN = {"POST /refresh", "POST /logout"}
"""Routes without a required sign-in that read cookies."""


class Risk(Enum):
    """A risk, by OWASP's number and what it is here."""

    OBJECTS = "API1 another's object"
    TOKENS = "API2 bad token"
    CSRF = "API2 CSRF"
    GUESSING = "API2 guessing"
    MEMBERS = "API3 mass assignment"
    SIZES = "API4 oversized"
    ROLES = "API5 role"
    FETCHES = "API7 SSRF"
    HEADERS = "API8 header injection"


def _is_owned(route: Declared) -> bool:
    """Whether it shows or changes what has an owner, to others than admins."""
    shows = route.has_parameter or "page_size" in route.query_parameters
    return shows and route.needs_sign_in and str(route) not in FOR_ADMINS | OF_EVERYBODY


_IS_EXPOSED: dict[Risk, Callable[[Declared], bool]] = {
    Risk.OBJECTS: _is_owned,
    Risk.TOKENS: lambda route: route.needs_sign_in,
    Risk.CSRF: lambda route: (
        route.method != "GET" and (route.needs_sign_in or str(route) in WITH_TOKENS_OF_ITS_OWN)
    ),
    Risk.GUESSING: lambda route: "password" in route.fields and not route.needs_sign_in,
    Risk.MEMBERS: lambda route: route.method in ("POST", "PATCH"),
    Risk.SIZES: lambda route: True,
    Risk.ROLES: lambda route: str(route) in FOR_ADMINS,
    Risk.FETCHES: lambda route: True,
    Risk.HEADERS: lambda route: True,
}


def exposed(risk: Risk) -> list[Declared]:
    """The routes that a risk is about."""
    return [route for route in OPERATIONS if _IS_EXPOSED[risk](route)]


def at_risk(risk: Risk) -> pytest.MarkDecorator:
    """Give a test each `route` that a risk is about."""
    return pytest.mark.parametrize("route", exposed(risk), ids=str)


def ask(client: Client, route: Declared, value: str | None = None, **how: Any) -> httpx.Response:
    """A request that the document allows; `value` stands for the path's parameters."""
    if route.schema:
        how.setdefault("json", route.body())
    return client.request(route.method, route.concrete(value), **how)


def table() -> str:
    """Routes and risks, as Markdown."""
    lines = ["| route | " + " | ".join(risk.value for risk in Risk) + " |"]
    lines.append("| --- |" + " :-: |" * len(Risk))
    for route in OPERATIONS:
        cells = ["✓" if _IS_EXPOSED[risk](route) else "" for risk in Risk]
        lines.append(f"| `{route}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
