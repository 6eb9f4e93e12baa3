"""SettingsError, and the domain errors, which carry the cause, the next step and facts.

They do not depend on HTTP: `shared/http/problems.py` maps each class to a status and a problem body.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypedDict


class Fault(TypedDict):
    """One fault of the input; `pointer` is an RFC 6901 fragment such as `#/arguments/0`."""

    pointer: str
    detail: str


class SettingsError(Exception):
    """Settings are missing or invalid. The message names each of them."""


class DomainError(Exception):
    """The request failed."""

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Fault] = (),
        retry_after: int | None = None,
        balance: Decimal | None = None,
        cost: Decimal | None = None,
        allowed: Sequence[str] = (),
    ) -> None:
        """Args:
        detail: the cause of this error and the next step, for the person who sent the request.
        errors: the faults of invalid input.
        retry_after: seconds to wait before the next try.
        balance: the credits of the caller.
        cost: the credits that the rejected call costs.
        allowed: the HTTP methods that the path supports.
        """
        super().__init__(detail or type(self).__name__)
        self.detail = detail
        self.errors = list(errors)
        self.retry_after = retry_after
        self.balance = balance
        self.cost = cost
        self.allowed = list(allowed)


class MalformedRequest(DomainError):
    """The request cannot be parsed."""


class NotSignedIn(DomainError):
    """The request has no valid token or API key."""


class WrongCredentials(DomainError):
    """The e-mail, the password or the admin password is wrong."""


class InsufficientCredit(DomainError):
    """The balance is lower than the cost of the call."""


class SpendLimitReached(DomainError):
    """The call would exceed the spending limit of the API key."""


class Forbidden(DomainError):
    """The caller's role does not allow the request."""


class InsufficientScope(DomainError):
    """The API key lacks the scope of the endpoint."""


class CsrfMismatch(DomainError):
    """The CSRF token is missing, or belongs to another sign-in."""


class AccountInactive(DomainError):
    """An admin has deactivated the account. Raised only for the right password."""


class NotFound(DomainError):
    """The requested object does not exist, or the caller may not see it."""


class MethodNotAllowed(DomainError):
    """The path exists, but not with this method."""


class Conflict(DomainError):
    """The request conflicts with existing data or with a concurrent request."""


class PayloadTooLarge(DomainError):
    """The body is larger than the endpoint accepts."""


class UnsupportedMediaType(DomainError):
    """The endpoint does not accept this media type."""


class InvalidInput(DomainError):
    """The input failed validation."""

    @classmethod
    def at(cls, pointer: str, detail: str) -> "InvalidInput":
        """Return an error with one fault, `pointer` being an RFC 6901 fragment such as `#/arguments/0`."""
        return cls(detail, errors=[{"pointer": pointer, "detail": detail}])


class IdempotencyKeyReused(DomainError):
    """The idempotency key belongs to an earlier, different request."""


class TooManyRequests(DomainError):
    """The caller exceeded a rate limit."""


class InternalError(DomainError):
    """The service has a defect; the detail is for the log only."""


class ServiceUnavailable(DomainError):
    """A service that this one depends on failed; a later try may succeed."""


class StatementTimeout(ServiceUnavailable):
    """Postgres cancelled a statement that took too long."""
