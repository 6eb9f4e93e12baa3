"""The errors of the client. `str(error)` says what happened and what to do."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

import msgspec

from restcalc.codec import decode
from restcalc.models import ExportWithLink, InputFault

if TYPE_CHECKING:
    import httpx

SESSION_ENDED = "/problems/not-signed-in"
SPEND_LIMIT_REACHED = "/problems/spend-limit-reached"
NOT_SIGNED_IN = "Sign in with login(email, password), or give an API key (api_key=… or RESTCALC_API_KEY)."


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


CLASSES: dict[int, type[ApiError]] = {
    400: InvalidInput,
    401: NotSignedIn,
    402: InsufficientCredit,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidInput,
    415: InvalidInput,
    422: InvalidInput,
    429: TooManyRequests,
    **dict.fromkeys((500, 502, 503, 504), ServiceUnavailable),
}


class Problem(msgspec.Struct, frozen=True):
    """The body of an error. API Gateway's own errors have only a `message`."""

    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    instance: str = ""
    errors: list[InputFault] = []
    balance: Decimal | None = None
    cost: Decimal | None = None
    message: str = ""


ADVICE = {
    413: "Send a smaller request, or a file with upload().",
    429: "Wait, then try again.",
    500: "Try again.",
    503: "Try again.",
}
"""The next step after an error of API Gateway, whose body does not contain one."""


TIMEOUTS = {
    "ConnectTimeout": "the connection took too long",
    "ReadTimeout": "the response took too long",
    "WriteTimeout": "sending took too long",
    "PoolTimeout": "all connections are in use",
}
"""The causes of httpx's errors without a text."""


def error_of(response: httpx.Response) -> RestcalcError:
    """Return the error that a response stands for."""
    status = response.status_code
    if status < 400:
        return unexpected(response, f"it answered {status}")
    try:
        problem = decode(response.content, Problem)
    except msgspec.DecodeError:
        problem = Problem()
    if not problem.detail:
        cause = problem.message or problem.title or response.reason_phrase or "The request failed"
        detail = f"{cause}. {ADVICE.get(status, '')}".strip()
        problem = msgspec.structs.replace(problem, detail=detail)
    if problem.type == SESSION_ENDED:
        problem = msgspec.structs.replace(problem, detail=f"{problem.detail} {NOT_SIGNED_IN}")
    kind = SpendLimitReached if problem.type == SPEND_LIMIT_REACHED else CLASSES.get(status, ApiError)
    error = kind(status, problem, _seconds(response.headers.get("Retry-After")))
    error.uncertain = status >= 500 and response.request.method != "GET"
    return error


def transfer_failed(response: httpx.Response, transfer: str) -> RestcalcError:
    """Return the error for a response of S3, whose body is XML."""
    code, message = (_element(response.text, name) for name in ("Code", "Message"))
    cause = (message or code or response.reason_phrase).rstrip(".")
    text = (
        f"S3 rejected the {transfer}: {cause} ({response.status_code}). Start again: links last 15 minutes."
    )
    # S3 sends 400 RequestTimeout if the connection pauses for too long.
    error = Unreachable(text) if code == "RequestTimeout" else TransferFailed(text)
    error.status = response.status_code
    return error


def _element(xml: str, name: str) -> str:
    match = re.search(f"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    return unescape(match[1]) if match else ""


def no_export_file(export: ExportWithLink) -> RestcalcError:
    """Return the error for an export whose file can't be downloaded."""
    if export.error:
        return RestcalcError(f"The export failed: {export.error}")
    if export.finished_at:
        return RestcalcError("The file of the export has expired. Create the export again.")
    return RestcalcError(f"The export is {export.status}: wait until it is completed.")


def not_signed_in(reason: str) -> NotSignedIn:
    """Return the error of a call that needs a session and is not sent without one."""
    return NotSignedIn(401, Problem(type=SESSION_ENDED, detail=f"{reason} {NOT_SIGNED_IN}"))


def session_expired(response: httpx.Response) -> bool:
    """Return whether the service rejected the token of the request, and not its other contents."""
    if response.status_code != 401:
        return False
    error = error_of(response)
    return isinstance(error, NotSignedIn) and error.type == SESSION_ENDED


def unreachable(url: str, error: httpx.RequestError, method: str) -> Unreachable:
    """Return the error for a request without a response."""
    import httpx

    cause = str(error) or TIMEOUTS.get(type(error).__name__, type(error).__name__)
    failure = Unreachable(f"{url} can't be reached: {cause.rstrip('.')}. Check the URL and the network.")
    not_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    failure.uncertain = method != "GET" and not not_sent
    return failure


def unexpected(response: httpx.Response, reason: str) -> UnexpectedResponse:
    """Return the error for a response that does not have the form of this service."""
    url = response.request.url.copy_with(query=None)
    error = UnexpectedResponse(
        f"{url} does not answer like restcalculator: {reason}. Check the URL of the service."
    )
    error.status = response.status_code
    return error


def _seconds(text: Any) -> float | None:
    try:
        return max(0.0, float(text))
    except (TypeError, ValueError):
        return None
