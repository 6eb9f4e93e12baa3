"""The errors of the client. `str(error)` says what happened and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restcalc.problems import Problem


SESSION_ENDED = "/problems/not-signed-in"
"""The `type` of a NotSignedIn without a valid session or API key. Wrong credentials have another type."""


class RestcalcError(Exception):
    """The base class of all errors of this package."""

    status = 0
    """The HTTP status. 0 without a response."""
    retry_after: float | None = None
    """Seconds to wait before the next try, if the service sent them."""
    uncertain = False
    """Whether the service may have carried the request out."""
    idempotency_key: str | None = None
    """The key of the request. The same call with this key charges nothing twice."""

    def __str__(self) -> str:
        text = super().__str__()
        if self.uncertain and self.idempotency_key:
            text += (
                f" The service may have carried the request out. Repeat it with "
                f"idempotency_key={self.idempotency_key!r}, which charges nothing twice."
            )
        elif self.uncertain:
            text += " The service may have carried the request out. Check before you repeat it."
        return text


class Unreachable(RestcalcError):
    """The service sent no response."""


class UnexpectedResponse(RestcalcError):
    """The response is not one of this service."""


class TransferFailed(RestcalcError):
    """S3 rejected an upload or a download."""


class WaitTimeout(RestcalcError, TimeoutError):
    """The task or export has not ended within the timeout. It continues in the service."""


class ApiError(RestcalcError):
    """The service refused the request, with a problem (RFC 9457)."""

    def __init__(self, status: int, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.status = status
        self.retry_after = retry_after
        self.type = problem.type
        self.title = problem.title
        self.detail = problem.detail
        self.instance = problem.instance
        self.errors = problem.errors

    def __str__(self) -> str:
        return f"{super().__str__()} ({self.status})"


class NotSignedIn(ApiError):
    """401: no valid session or API key, or wrong credentials."""


class InsufficientCredit(ApiError):
    """402: the balance does not cover the cost."""

    def __init__(self, status: int, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(status, problem, retry_after)
        self.balance = problem.balance
        self.cost = problem.cost


class SpendLimitReached(InsufficientCredit):
    """402: the spending limit of the API key does not cover the cost."""


class Forbidden(ApiError):
    """403: the role or the scopes of the API key do not allow the call, or the account is inactive."""


class NotFound(ApiError):
    """404: the object does not exist, or belongs to another user."""


class Conflict(ApiError):
    """409: the call does not fit the present state."""


class InvalidInput(ApiError):
    """400, 413, 415 or 422: the input is invalid. `errors` has each fault."""


class TooManyRequests(ApiError):
    """429: too many requests. `retry_after` has the seconds to wait."""


class ServiceUnavailable(ApiError):
    """500, 502, 503 or 504: the service failed."""
