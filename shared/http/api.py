"""The Powertools resolver of all endpoints: it authenticates the caller, returns errors as RFC 9457
problems, and sets the response headers.

An endpoint is `app = Api(...)` and one decorated function. Lambda calls `app(event, context)`.
"""

import base64
import inspect
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from shared import exact_json, interpreter
from shared.auth import caller as auth
from shared.auth.tokens import TokenType
from shared.errors import (
    DomainError,
    Fault,
    InternalError,
    InvalidInput,
    MalformedRequest,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from shared.http import money, problems, request_log
from shared.http.credentials import read_credentials
from shared.http.responses import JSON
from shared.idempotency import Request
from shared.schemas.field_types import Scope

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

Function = Callable[..., Response[Any]]
_ROUTE = inspect.signature(APIGatewayHttpResolver.route)

MULTIPART = "multipart/form-data"
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes of a file in a form. A larger one would exceed the 6 MB of a Lambda event when base64-encoded."""
LARGEST_BODY = {JSON: 256 * 1024, MULTIPART: LARGEST_FILE + 64 * 1024}
"""Largest body in bytes, by media type."""

INVALID_REQUEST = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)

# Pydantic calls the characters of a string items, if another check came before that of its length.
_COUNTED = re.compile(r"^Value (should have at \w+ \d+) item(s?) after validation, not \d+$")

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "frame-ancestors 'none'",
}

# With POWERTOOLS_DEBUG, Powertools logs the arguments of functions, which may include passwords.
logging.getLogger("aws_lambda_powertools").setLevel(logging.INFO)


class Access(Enum):
    """The callers that an endpoint allows."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    SESSION = "signed in with a session, not with an API key"
    OWN_KEY = "signed in with a session, or with the API key that the request is about"
    ADMIN = "admin"
    CHARGED = "signed in; the charging statement checks it"


class Api(APIGatewayHttpResolver):
    """One endpoint's Lambda handler.

    Args:
        access: the callers that are allowed. Checked before the input is validated.
        scope: the scope that an API key needs for a change at a `SIGNED_IN` endpoint. Without a scope, such
            an endpoint accepts API keys only for GET.
        media_type: the media type of the body; None for an endpoint that ignores the body.
        idempotent: whether the endpoint honours Idempotency-Key. Others reject a request that has one.
    """

    event: Mapping[str, Any]
    """The event of the request."""
    headers: dict[str, str]
    """The request's headers, with lower-case names."""
    credentials: auth.Credentials
    caller: auth.Caller
    declared: dict[str, Any]
    """The arguments of the decorator of the endpoint's function, for the OpenAPI document."""
    function: Function

    def __init__(
        self,
        access: Access = Access.ANYONE,
        *,
        scope: Scope | None = None,
        media_type: str | None = JSON,
        idempotent: bool = False,
    ) -> None:
        super().__init__(
            debug=False,  # overrides POWERTOOLS_DEV, which would print events with passwords and tokens
            enable_validation=True,
            json_body_deserializer=parse_object,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        interpreter.end_imports()
        self.access = access
        self.scope = scope
        self.media_type = media_type
        self.idempotent = idempotent
        self.exception_handler(Exception)(self.problem)

    def route(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Return the decorator that registers an endpoint's function.

        Powertools does not get the responses. It would build their models at the first call, and only the
        OpenAPI document needs them. Nor does it validate where nothing can be invalid, which would take a
        tenth of a list's instructions.
        """
        self.declared = _ROUTE.bind(self, *arguments, **options).arguments
        del self.declared["self"]
        register = super().route

        def decorate(function: Function) -> Function:
            self.function = function
            options = {**self.declared, "responses": None, "enable_validation": _needs_validation(function)}
            return register(**options)(function)

        return decorate

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Handle one API Gateway event (HTTP API, payload 2.0) and return the response."""
        started = time.perf_counter()
        self.event = event
        self.headers = {name.lower(): value for name, value in event["headers"].items()}
        self.request_id = event["requestContext"]["requestId"]
        try:
            self._check_body()
            self._authenticate()
            self._check_idempotency_key()
            response = self.resolve(self._resolved_event(), context)
        except Exception as error:  # the resolver handles the errors of its own steps
            response = self._as_event(self.problem(error))
        response["headers"] = {**HEADERS, "X-Request-Id": self.request_id, **response.get("headers", {})}
        if money.prefers_strings(self.headers.get("prefer", "")):
            _write_money_as_strings(response)
        milliseconds = (time.perf_counter() - started) * 1000
        request_log.write(self.request_id, event["routeKey"], response["statusCode"], milliseconds)
        return response

    def required_scope(self, method: str) -> Scope | None:
        """Return the scope that an API key needs for a request; None if no scope allows it."""
        if self.access in (Access.SESSION, Access.OWN_KEY):
            return None
        if self.access is Access.ADMIN:
            return "admin"
        if self.access is Access.CHARGED:
            return "compute"
        return "read" if method == "GET" else self.scope

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key, or None.

        Raises: InvalidInput unless it has 1 to 255 printable ASCII characters.
        """
        key = self.headers.get("idempotency-key")
        if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
            raise InvalidInput.at("#/headers/Idempotency-Key", "Send 1 to 255 printable ASCII characters.")
        return key

    def idempotent_request(self, payload: Any) -> Request:
        """Return the request for `run_once`. `payload` is all that the response depends on."""
        route = str(self.event["routeKey"])
        return Request(self.caller.id, route, self.idempotency_key, payload)

    @property
    def content_type(self) -> str:
        """The request's Content-Type, or an empty string."""
        return self.headers.get("content-type", "")

    def accepts(self, media_type: str) -> bool:
        """Whether the request's Accept header lists this media type. `*/*` does not count."""
        accepted = self.headers.get("accept", "").split(",")
        return media_type in [part.partition(";")[0].strip().lower() for part in accepted]

    @property
    def body(self) -> bytes:
        """The request's body in bytes, for an endpoint that parses it itself."""
        text = self.event.get("body") or ""
        return base64.b64decode(text) if self.event.get("isBase64Encoded") else text.encode()

    @property
    def query_string(self) -> str:
        return str(self.event.get("rawQueryString") or "")

    def reject_unknown_query(self, *known: str) -> None:
        """Reject a query string with an unknown or repeated parameter. Raises: InvalidInput."""
        names = [unquote_plus(pair.partition("=")[0]) for pair in self.query_string.split("&") if pair]
        faults: list[Fault] = [
            {"pointer": f"#/query/{name[:64]}", "detail": f"{name[:64]}: {problem}"}
            for name in dict.fromkeys(names)
            if (problem := _fault_of_parameter(names.count(name), name in known))
        ]
        if faults:
            raise InvalidInput("; ".join(fault["detail"] for fault in faults[:5]), errors=faults[:100])

    @property
    def source_address(self) -> str:
        """The client's address, for the throttle."""
        # Imported here, because ipaddress takes 2 ms at a cold start and few endpoints need it.
        from shared.http.source_address import source_address

        return source_address(self.headers, self.event["requestContext"]["http"]["sourceIp"])

    def credentials_of(self, kind: TokenType) -> auth.Credentials:
        """Return the request's credentials for this type of token. Raises: as `read_credentials`."""
        pairs = self.event.get("cookies") or self.headers.get("cookie", "").split(";")
        cookies = dict(pair.strip().split("=", 1) for pair in pairs if "=" in pair)
        return read_credentials(self.headers, cookies, self._method, kind)

    @property
    def _method(self) -> str:
        return str(self.event["requestContext"]["http"]["method"])

    def _resolved_event(self) -> dict[str, Any]:
        """Return the event for the resolver, without headers and cookies.

        Powertools would copy all headers four times and parse the cookies. Without a Content-Type it takes
        the body as JSON, which `_check_body` has checked.
        """
        return {**self.event, "headers": {}, "cookies": []}

    def _check_body(self) -> None:
        """Reject a body that is too large or has another media type, before parsing it."""
        body = self.event.get("body")
        if not body or self.media_type is None or self._method not in ("POST", "PATCH"):
            return
        size = len(body) * 3 // 4 - body[-2:].count("=") if self.event.get("isBase64Encoded") else len(body)
        if size > LARGEST_BODY[self.media_type]:
            raise PayloadTooLarge(f"The body is larger than {LARGEST_BODY[self.media_type]} bytes.")
        sent_type = self.content_type.partition(";")[0].strip().lower()
        if sent_type != self.media_type:
            raise UnsupportedMediaType(f"Send {self.media_type}, not {sent_type[:100]!r}.")

    def _authenticate(self) -> None:
        if self.access is Access.ANYONE:
            return
        self.credentials = self.credentials_of(TokenType.ACCESS)
        if self.access is not Access.CHARGED:
            self.caller = self._look_up(self._method)

    def _check_idempotency_key(self) -> None:
        """Reject a key that the endpoint would ignore, because its client relies on it for safe retries."""
        if not self.idempotent and "idempotency-key" in self.headers:
            raise InvalidInput.at(
                "#/headers/Idempotency-Key", "This endpoint does not support it. Send the request without it."
            )

    def _look_up(self, method: str) -> auth.Caller:
        caller = auth.look_up(self.credentials, admin=self.access is Access.ADMIN)
        if self.access is not Access.OWN_KEY:  # only the endpoint knows which key the request is about
            auth.check_scope(caller, self.required_scope(method))
        return caller

    def _authentication_error(self) -> DomainError | None:
        """Return the error if the caller of a charged route is not signed in or lacks the scope, or None.

        Invalid input is rejected before the charging statement looks the caller up.
        """
        try:
            self._look_up("POST")
        except DomainError as error:
            return error
        return None

    def problem(self, error: Exception) -> Response[str]:
        """Return the RFC 9457 problem for an error."""
        known = _as_domain_error(error)
        if self.access is Access.CHARGED and problems.problem_of(known).status in INVALID_REQUEST:
            known = self._authentication_error() or known
        status = problems.problem_of(known).status
        if status >= 500:
            has_trace = not isinstance(error, DomainError)
            _logger().error(str(known), exc_info=has_trace, correlation_id=self.request_id)
        body = exact_json.dumps(problems.body(known, self.request_id))
        return Response(status, problems.PROBLEM, body, problems.headers(known))

    def _as_event(self, response: Response[str]) -> dict[str, Any]:
        headers = {"Content-Type": str(response.content_type), **response.headers}
        return {
            "statusCode": response.status_code,
            "body": response.body,
            "isBase64Encoded": False,
            "headers": headers,
        }


@cache
def _logger() -> "Logger":
    """Return the Logger of errors. Importing it takes a twentieth of a cold start, and few requests fail."""
    from aws_lambda_powertools import Logger

    return Logger(service=request_log.SERVICE)


def _needs_validation(function: Function) -> bool:
    """Whether a function has parameters to validate, or a response that is not text."""
    signature = inspect.signature(function)
    return bool(signature.parameters) or signature.return_annotation != Response[str]


def _fault_of_parameter(occurrences: int, is_known: bool) -> str:
    if not is_known:
        return "there is no such parameter"
    return "the parameter occurs twice" if occurrences > 1 else ""


def parse_json(text: str) -> Any:
    """Parse a JSON body, with fractions as Decimal. Raises: MalformedRequest."""
    try:
        return _parse(text)
    except RecursionError:
        raise MalformedRequest("The JSON is nested too deeply.") from None
    except ArithmeticError:
        raise MalformedRequest("The exponent of a number in the body is out of range.") from None
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body is not JSON: syntax error at {position}.") from None


def parse_object(text: str) -> Any:
    """Parse a body that must be a JSON object. Raises: MalformedRequest; InvalidInput for any other JSON.

    Null counts as no body. Powertools would ignore other values where the body is optional.
    """
    body = parse_json(text)
    if body is not None and not isinstance(body, dict):
        raise InvalidInput.at("#", "Send a JSON object.")
    return body


def _integer(digits: str) -> int | Decimal:
    # int() takes quadratic time for many digits.
    return int(digits) if len(digits) < 20 else Decimal(digits)


def _reject_constant(name: str) -> None:
    raise MalformedRequest(f"The body is not JSON: {name} is not a JSON number.")


_parse = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=_reject_constant).decode


def _write_money_as_strings(response: dict[str, Any]) -> None:
    if response["body"] and response["headers"].get("Content-Type") in (JSON, problems.PROBLEM):
        response["body"] = money.as_strings(response["body"])
        response["headers"]["Preference-Applied"] = money.PREFERENCE


def _as_domain_error(error: Exception) -> DomainError:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, NotFoundError):
        return NotFound("No route has this path.")
    if isinstance(error, RequestValidationError):
        faults: list[Fault] = [
            {"pointer": _pointer(e["loc"]), "detail": _COUNTED.sub(r"String \1 character\2", e["msg"])}
            for e in error.errors()
        ]
        return InvalidInput(
            "; ".join(f"{f['pointer']}: {f['detail']}" for f in faults[:5]), errors=faults[:100]
        )
    if isinstance(error, UnicodeDecodeError):
        return MalformedRequest("The body is not UTF-8.")
    if isinstance(error, RecursionError):
        return MalformedRequest("The JSON is nested too deeply.")
    return InternalError(f"{type(error).__name__}: {error}")


def _pointer(location: tuple[str | int, ...]) -> str:
    """Return an RFC 6901 pointer into the body, or below `query`, `path` or `headers`."""
    source, *path = location
    parts = path if source == "body" else [source, *path]
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
