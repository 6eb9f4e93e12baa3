"""The errors that responses, and requests without one, stand for."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

import msgspec

from restcalc.codec import decode
from restcalc.errors import (
    SESSION_ENDED,
    ApiError,
    Conflict,
    Forbidden,
    InsufficientCredit,
    InvalidInput,
    NotFound,
    NotSignedIn,
    RestcalcError,
    ServiceUnavailable,
    SpendLimitReached,
    TooManyRequests,
    TransferFailed,
    UnexpectedResponse,
    Unreachable,
)
from restcalc.models import ExportWithLink, InputFault

if TYPE_CHECKING:
    import httpx

SPEND_LIMIT_REACHED = "/problems/spend-limit-reached"
NOT_SIGNED_IN = "Sign in with login(email, password), or give an API key (api_key=… or RESTCALC_API_KEY)."


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
        return unexpected(response, f"it returned {status}")
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


def no_file(response: httpx.Response) -> TransferFailed:
    """Return the error for a response to a download that neither has the file nor explains why."""
    return TransferFailed(f"S3 returned {response.status_code} instead of the file. Start again.")


def incomplete(name: str) -> TransferFailed:
    """Return the error for a download that has more or fewer bytes than the file."""
    return TransferFailed(f"The download of {name} has the wrong size. Start again, and run it only once.")


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


def unreachable(url: str, error: httpx.RequestError, *, changes: bool) -> Unreachable:
    """Return the error for a request without a response.

    Args:
        changes: whether a second execution of the request matters.
    """
    import httpx

    cause = str(error) or TIMEOUTS.get(type(error).__name__, type(error).__name__)
    address = url.partition("?")[0]  # the query of a link to S3 is a secret
    failure = Unreachable(f"{address} can't be reached: {cause.rstrip('.')}. Check the URL and the network.")
    not_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    failure.uncertain = changes and not not_sent
    return failure


def unexpected(response: httpx.Response, reason: str) -> UnexpectedResponse:
    """Return the error for a response that does not have the form of this service."""
    url = response.request.url.copy_with(query=None)
    error = UnexpectedResponse(
        f"The response of {url} has another form: {reason}. Check the URL of the service. If it is right,"
        " install the version of `restcalc` that belongs to the service."
    )
    error.status = response.status_code
    return error


def _seconds(text: Any) -> float | None:
    try:
        return max(0.0, float(text))
    except (TypeError, ValueError):
        return None
