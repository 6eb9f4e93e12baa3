"""The one table from domain errors to HTTP: their status, slug and title, and the RFC 9457 body."""

from typing import Any, NamedTuple

from shared import errors
from shared.errors import DomainError

PROBLEM = "application/problem+json"


class Problem(NamedTuple):
    """What one class of errors is in HTTP; `slug` is the last part of its `type` URI reference."""

    status: int
    slug: str
    title: str


PROBLEMS: dict[type[DomainError], Problem] = {
    DomainError: Problem(500, "error", "The request can't be done"),
    errors.MalformedRequest: Problem(400, "malformed-request", "The request can't be read"),
    errors.NotSignedIn: Problem(401, "not-signed-in", "Sign in first"),
    errors.WrongCredentials: Problem(401, "wrong-credentials", "The credentials are wrong"),
    errors.InsufficientCredit: Problem(402, "insufficient-credit", "There is not enough credit"),
    errors.Forbidden: Problem(403, "forbidden", "This role may not do that"),
    errors.CsrfMismatch: Problem(403, "csrf-mismatch", "The CSRF token is missing or wrong"),
    errors.NotFound: Problem(404, "not-found", "There is no such thing"),
    errors.MethodNotAllowed: Problem(405, "method-not-allowed", "This path does not take that method"),
    errors.Conflict: Problem(409, "conflict", "That is in conflict with what exists"),
    errors.PayloadTooLarge: Problem(413, "payload-too-large", "The request is too large"),
    errors.UnsupportedMediaType: Problem(415, "unsupported-media-type", "That media type is not taken here"),
    errors.InvalidInput: Problem(422, "invalid-input", "The input is invalid"),
    errors.IdempotencyKeyReused: Problem(
        422, "idempotency-key-reused", "This idempotency key came with another request before"
    ),
    errors.TooManyRequests: Problem(429, "too-many-requests", "That was tried too often"),
    errors.InternalError: Problem(500, "internal-error", "Something went wrong on our side"),
    errors.ServiceUnavailable: Problem(503, "service-unavailable", "The service can't do that just now"),
    errors.StatementTimeout: Problem(503, "service-unavailable", "The database can't do that in time"),
}
"""Clients depend on statuses and slugs: they never change."""


def problem_of(error: DomainError) -> Problem:
    """Return the table's row of an error's class."""
    return PROBLEMS[type(error)]


def meaning(status: int) -> str:
    """Return what the problems of a status mean, for the OpenAPI document."""
    titles = dict.fromkeys(problem.title for problem in PROBLEMS.values() if problem.status == status)
    return " Or: ".join(f"{title}." for title in titles)


def headers(error: DomainError) -> dict[str, str]:
    """Return the response headers that the error's facts require."""
    found = {}
    if error.retry_after is not None:
        found["Retry-After"] = str(error.retry_after)
    if error.allowed:
        found["Allow"] = ", ".join(error.allowed)
    return found


def body(error: DomainError, instance: str) -> dict[str, Any]:
    """Return the RFC 9457 problem details of an error, `instance` being the request's id."""
    problem = problem_of(error)
    members = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": error.detail or problem.title,
        "instance": instance,
    }
    if isinstance(error, errors.InternalError):
        members["detail"] = problem.title  # only the log may have the details of a defect
    extensions = {"errors": error.errors or None, "balance": error.balance, "cost": error.cost}
    return members | {name: value for name, value in extensions.items() if value is not None}
