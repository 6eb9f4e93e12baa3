"""The one table from domain errors to HTTP: their status, slug and title, and the RFC 9457 body."""

from typing import Any, NamedTuple

from shared import errors
from shared.errors import DomainError

PROBLEM = "application/problem+json"


class Problem(NamedTuple):
    """The HTTP form of one class of errors. `slug` is the last part of its `type` URI reference."""

    status: int
    slug: str
    title: str


PROBLEMS: dict[type[DomainError], Problem] = {
    DomainError: Problem(500, "error", "The request failed"),
    errors.MalformedRequest: Problem(400, "malformed-request", "The request cannot be parsed"),
    errors.NotSignedIn: Problem(401, "not-signed-in", "Sign in to use this endpoint"),
    errors.WrongCredentials: Problem(401, "wrong-credentials", "The credentials are wrong"),
    errors.InsufficientCredit: Problem(402, "insufficient-credit", "The balance does not cover the cost"),
    errors.SpendLimitReached: Problem(
        402, "spend-limit-reached", "The spending limit of the API key does not cover the cost"
    ),
    errors.Forbidden: Problem(403, "forbidden", "The caller is not allowed to do this"),
    errors.InsufficientScope: Problem(403, "insufficient-scope", "The API key is not allowed to do this"),
    errors.CsrfMismatch: Problem(403, "csrf-mismatch", "The CSRF token is missing or wrong"),
    errors.AccountInactive: Problem(403, "account-inactive", "The account is inactive"),
    errors.NotFound: Problem(404, "not-found", "The resource does not exist"),
    errors.MethodNotAllowed: Problem(405, "method-not-allowed", "The path does not support this method"),
    errors.Conflict: Problem(409, "conflict", "The request conflicts with the current state"),
    errors.PayloadTooLarge: Problem(413, "payload-too-large", "The request is too large"),
    errors.UnsupportedMediaType: Problem(415, "unsupported-media-type", "The media type is not supported"),
    errors.InvalidInput: Problem(422, "invalid-input", "The input is invalid"),
    errors.IdempotencyKeyReused: Problem(
        422, "idempotency-key-reused", "The idempotency key belongs to a different request"
    ),
    errors.TooManyRequests: Problem(429, "too-many-requests", "Too many requests"),
    errors.InternalError: Problem(500, "internal-error", "The service has an internal error"),
    errors.ServiceUnavailable: Problem(503, "service-unavailable", "The service is temporarily unavailable"),
    errors.StatementTimeout: Problem(503, "service-unavailable", "The database took too long"),
}
"""Never change a status or a slug, because clients depend on them."""


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
