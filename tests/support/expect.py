"""Assertions that many tests share: a problem response, a consistent ledger."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import httpx

PROBLEM = "application/problem+json"


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Assert that a response is an RFC 9457 problem with this status, and return it."""
    assert response.status_code == status, f"{response.status_code}, not {status}: {response.text[:500]}"
    return any_problem(response)


def any_problem(response: httpx.Response) -> dict[str, Any]:
    """Assert that a response is an RFC 9457 problem, not an internal error, and return it."""
    assert 400 <= response.status_code < 500 or response.status_code == 503, (
        f"{response.status_code}: {response.text[:500]}"
    )
    assert response.headers["Content-Type"] == PROBLEM
    problem_body: dict[str, Any] = response.json()
    assert problem_body["type"].startswith("/problems/")
    assert problem_body["title"]
    assert problem_body["status"] == response.status_code
    assert problem_body["detail"]
    assert problem_body["instance"] == response.headers["X-Request-Id"]
    for word in ("Traceback", "SELECT", "pg8000", "site-packages"):
        assert word not in response.text
    return problem_body


def pointers(response: httpx.Response) -> list[str]:
    """Return the pointers of a 422."""
    return [fault["pointer"] for fault in problem(response, 422)["errors"]]


def sound_statement(entries: Iterable[Mapping[str, Any]], balance: Decimal) -> None:
    """Assert that ledger entries, newest first, follow one another and end at `balance`."""
    reached = Decimal(0)
    for entry in reversed(list(entries)):
        assert entry["balance_before"] == reached, entry
        assert entry["balance_after"] == reached + entry["amount"], entry
        reached = entry["balance_after"]
    assert reached == balance
