"""What can go wrong, in one hierarchy. An exception's docstring is its title in the answer.

`shared/http/api.py` turns each into an RFC 9457 problem; nobody else needs to know a status code.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class DomainError(Exception):
    """The request can't be done."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "error"

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        **extensions: Any,
    ) -> None:
        """Args:
        detail: what is wrong with this very request, for the person who made it.
        headers: headers of the answer, such as `Retry-After`.
        errors: for invalid input, `{"pointer", "detail"}` of each fault (RFC 6901 pointers).
        extensions: further members of the problem, such as `balance`.
        """
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.headers = dict(headers or {})
        self.errors = list(errors)
        self.extensions = extensions

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").splitlines()[0].rstrip(".")

    def members(self, instance: str) -> dict[str, Any]:
        """The problem details of this error (RFC 9457), `instance` being the request's id."""
        return {
            "type": f"/problems/{self.slug}",
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            **({"errors": self.errors} if self.errors else {}),
            **self.extensions,
        }


class MalformedRequest(DomainError):
    """The request can't be read."""

    status, slug = 400, "malformed-request"


class NotSignedIn(DomainError):
    """Sign in first."""

    status, slug = 401, "not-signed-in"


class WrongCredentials(DomainError):
    """The credentials are wrong."""

    status, slug = 401, "wrong-credentials"


class InsufficientCredit(DomainError):
    """There is not enough credit."""

    status, slug = 402, "insufficient-credit"


class Forbidden(DomainError):
    """This role may not do that."""

    status, slug = 403, "forbidden"


class CsrfMismatch(DomainError):
    """The CSRF token is missing or wrong."""

    status, slug = 403, "csrf-mismatch"


class NotFound(DomainError):
    """There is no such thing."""

    status, slug = 404, "not-found"


class MethodNotAllowed(DomainError):
    """This path does not take that method."""

    status, slug = 405, "method-not-allowed"


class Conflict(DomainError):
    """That is in conflict with what exists."""

    status, slug = 409, "conflict"


class PayloadTooLarge(DomainError):
    """The request is too large."""

    status, slug = 413, "payload-too-large"


class UnsupportedMediaType(DomainError):
    """That media type is not taken here."""

    status, slug = 415, "unsupported-media-type"


class InvalidInput(DomainError):
    """The input is invalid."""

    status, slug = 422, "invalid-input"

    @classmethod
    def at(cls, pointer: str, detail: str) -> "InvalidInput":
        """One fault at one place, `pointer` being an RFC 6901 fragment such as `#/arguments/0`."""
        return cls(detail, errors=[{"pointer": pointer, "detail": detail}])


class IdempotencyKeyReused(DomainError):
    """This idempotency key came with another request before."""

    status, slug = 422, "idempotency-key-reused"


class TooManyRequests(DomainError):
    """That was tried too often."""

    status, slug = 429, "too-many-requests"


class InternalError(DomainError):
    """Something went wrong on our side."""

    status, slug = 500, "internal-error"


class ServiceUnavailable(DomainError):
    """The service can't do that just now."""

    status, slug = 503, "service-unavailable"


class StatementTimeout(ServiceUnavailable):
    """The database can't do that in time."""
