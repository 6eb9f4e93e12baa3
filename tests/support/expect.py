"""What many tests expect: a problem, a sound statement."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import httpx

PROBLEM = "application/problem+json"


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The RFC 9457 problem that a response must be."""
    assert response.status_code == status, f"{response.status_code}, not {status}: {response.text[:500]}"
    return any_problem(response)


def any_problem(response: httpx.Response) -> dict[str, Any]:
    """The RFC 9457 problem of a refusal, whichever, that blames the request and not us."""
    assert 400 <= response.status_code < 500 or response.status_code == 503, (
        f"{response.status_code}: {response.text[:500]}"
    )
    assert response.headers["Content-Type"] == PROBLEM
    told: dict[str, Any] = response.json()
    assert told["type"].startswith("/problems/")
    assert told["title"]
    assert told["status"] == response.status_code
    assert told["detail"]
    assert told["instance"] == response.headers["X-Request-Id"]
    for word in ("Traceback", "SELECT", "pg8000", "site-packages"):
        assert word not in response.text
    return told


def pointers(response: httpx.Response) -> list[str]:
    """The places that a 422 blames."""
    return [fault["pointer"] for fault in problem(response, 422)["errors"]]


def sound_statement(entries: Iterable[Mapping[str, Any]], balance: Decimal) -> None:
    """Newest first, as lists are: each entry begins where the one before ended, and the last at `balance`."""
    reached = Decimal(0)
    for entry in reversed(list(entries)):
        assert entry["balance_before"] == reached, entry
        assert entry["balance_after"] == reached + entry["amount"], entry
        reached = entry["balance_after"]
    assert reached == balance
