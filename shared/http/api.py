"""What every endpoint's handler shares: one Powertools resolver that admits the caller, maps errors
to RFC 9457 problems, and gives each answer its headers.

An endpoint is `app = Api(...)` and one decorated function; Lambda calls `app(event, context)`.
"""

import base64
import json
import logging
import time
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
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
from shared.http import problems
from shared.http.credentials import read_credentials

JSON = "application/json"
MULTIPART = "multipart/form-data"
LARGEST_BODY = {JSON: 256 * 1024, MULTIPART: 4 * 1024 * 1024 + 64 * 1024}
"""Bytes of a body, by media type: a page of JSON, or a 4 MB file and the form around it."""

INPUT_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "frame-ancestors 'none'",
}

logger = Logger(service="restcalculator")
# With POWERTOOLS_DEBUG it would write down what each function is called with, and that may be a password.
logging.getLogger("aws_lambda_powertools").setLevel(logging.INFO)


class Who(Enum):
    """Who may call an endpoint."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    ADMIN = "admin"
    CHARGED = "signed in, which the charging statement itself checks"


class Api(APIGatewayHttpResolver):
    """One endpoint's Lambda handler.

    Args:
        who: may call it; checked before the input is.
        takes: the media type of its body; None where a POST has none, and any is left unread.
    """

    credentials: auth.Credentials
    caller: auth.Caller

    def __init__(self, who: Who = Who.ANYONE, *, takes: str | None = JSON) -> None:
        super().__init__(
            debug=False,  # whatever POWERTOOLS_DEV says: it would print every event, its passwords and tokens
            enable_validation=True,
            json_body_deserializer=parse_json,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        interpreter.end_imports()
        self.who = who
        self.takes = takes
        self.exception_handler(Exception)(self.problem)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one API Gateway event (HTTP API, payload 2.0)."""
        started = time.perf_counter()
        self.request_id = event["requestContext"]["requestId"]
        logger.set_correlation_id(self.request_id)
        try:
            self._check_body(event)
            self._admit(event)
            answer = self.resolve(event, context)
        except Exception as error:  # of those before the resolver, which answers its own
            answer = self._as_event(self.problem(error))
        answer["headers"] = {**HEADERS, "X-Request-Id": self.request_id, **answer.get("headers", {})}
        logger.info(
            "answered",
            route=event.get("routeKey"),
            status=answer["statusCode"],
            ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return answer

    @property
    def idempotency_key(self) -> str | None:
        """The request's Idempotency-Key. Raises: InvalidInput unless it is 1 to 255 printable ASCII."""
        key = self.current_event.headers.get("idempotency-key")
        if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
            raise InvalidInput.at("#/headers/Idempotency-Key", "1 to 255 printable ASCII characters.")
        return key

    @property
    def content_type(self) -> str:
        """The request's Content-Type, or an empty text."""
        return str(self.current_event.headers.get("content-type") or "")

    def accepts(self, media_type: str) -> bool:
        """Whether the request's Accept header names this media type; `*/*` names none."""
        accept = str(self.current_event.headers.get("accept") or "")
        return media_type in [part.partition(";")[0].strip().lower() for part in accept.split(",")]

    @property
    def body(self) -> bytes:
        """The bytes of the request's body, for an endpoint that parses it by itself."""
        event = self.current_event.raw_event
        text = event.get("body") or ""
        return base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()

    @property
    def query_string(self) -> str:
        return str(self.current_event.raw_event.get("rawQueryString") or "")

    @property
    def source_address(self) -> str:
        """The client's address, for the throttle."""
        from shared.http.source_address import (
            source_address,  # ipaddress takes 2 ms, and few endpoints need it
        )

        event = self.current_event.raw_event
        return source_address(_headers(event), event["requestContext"]["http"]["sourceIp"])

    def present(self, kind: TokenType) -> auth.Credentials:
        """What the request presents as a token of this kind. Raises: as `read_credentials`."""
        return _credentials(self.current_event.raw_event, kind)

    def _check_body(self, event: Mapping[str, Any]) -> None:
        """Refuse a body by its size and media type, before anything is parsed."""
        body = event.get("body")
        if self.takes is None or _method(event) not in ("POST", "PATCH"):
            return
        if not body:
            event["headers"].pop("content-type", None)  # of nothing: Powertools would take a form apart
            return
        size = len(body) * 3 // 4 - body[-2:].count("=") if event.get("isBase64Encoded") else len(body)
        if size > LARGEST_BODY[self.takes]:
            raise PayloadTooLarge(f"At most {LARGEST_BODY[self.takes]} bytes are taken here.")
        media_type, *parameters = event["headers"].get("content-type", "").partition(";")
        media_type = media_type.strip().lower()
        if media_type != self.takes:
            raise UnsupportedMediaType(f"Send {self.takes}, not {media_type[:100]!r}.")
        # Powertools compares it as it stands; names of media types have no case (RFC 9110, section 8.3.1).
        event["headers"]["content-type"] = "".join([media_type, *parameters])

    def _admit(self, event: Mapping[str, Any]) -> None:
        if self.who is Who.ANYONE:
            return
        self.credentials = _credentials(event, TokenType.ACCESS)
        if self.who is not Who.CHARGED:
            self.caller = auth.look_up(self.credentials, admin=self.who is Who.ADMIN)

    def _refusal_of_caller(self) -> DomainError | None:
        """Return the error of a charged route's caller that is not signed in, or None.

        Bad input is refused before the charging statement looks the caller up.
        """
        try:
            auth.look_up(self.credentials)
        except DomainError as refusal:
            return refusal
        return None

    def problem(self, error: Exception) -> Response[str]:
        """Return the RFC 9457 problem for an error."""
        refusal = _as_domain_error(error)
        if self.who is Who.CHARGED and problems.problem_of(refusal).status in INPUT_REFUSED:
            refusal = self._refusal_of_caller() or refusal
        status = problems.problem_of(refusal).status
        if status >= 500:
            logger.error(str(refusal), exc_info=not isinstance(error, DomainError))
        body = exact_json.dumps(problems.body(refusal, self.request_id))
        return Response(status, problems.PROBLEM, body, problems.headers(refusal))

    def _as_event(self, response: Response[str]) -> dict[str, Any]:
        headers = {"Content-Type": str(response.content_type), **response.headers}
        return {
            "statusCode": response.status_code,
            "body": response.body,
            "isBase64Encoded": False,
            "headers": headers,
        }


def parse_json(text: str) -> Any:
    """Parse a body's JSON, its fractions as Decimal. Raises: MalformedRequest."""
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_integer, parse_constant=_refuse)
    except RecursionError:
        raise MalformedRequest("The JSON is nested too deeply.") from None
    except ArithmeticError:
        raise MalformedRequest("A number in the body has an exponent that is out of range.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body is not JSON: syntax error at {place}.") from None


def _integer(digits: str) -> int | Decimal:
    # A double has at most 309 digits; int() of very many takes quadratic time.
    return int(digits) if len(digits) < 20 else Decimal(digits)


def _refuse(name: str) -> None:
    raise MalformedRequest(f"The body is not JSON: {name} is not a JSON number.")


def _credentials(event: Mapping[str, Any], kind: TokenType) -> auth.Credentials:
    headers = _headers(event)
    pairs = event.get("cookies") or headers.get("cookie", "").split(";")
    cookies = dict(pair.strip().split("=", 1) for pair in pairs if "=" in pair)
    return read_credentials(headers, cookies, _method(event), kind)


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers, with lower-case names."""
    return {name.lower(): value for name, value in event["headers"].items()}


def _method(event: Mapping[str, Any]) -> str:
    return str(event["requestContext"]["http"]["method"])


def _as_domain_error(error: Exception) -> DomainError:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, NotFoundError):
        return NotFound("There is nothing at this path.")
    if isinstance(error, RequestValidationError):
        faults: list[Fault] = [{"pointer": _pointer(e["loc"]), "detail": e["msg"]} for e in error.errors()]
        return InvalidInput(
            "; ".join(f"{f['pointer']}: {f['detail']}" for f in faults[:5]), errors=faults[:100]
        )
    if isinstance(error, UnicodeDecodeError):
        return MalformedRequest("The body is not UTF-8.")
    if isinstance(error, RecursionError):
        return MalformedRequest("The JSON is nested too deeply.")
    return InternalError(f"{type(error).__name__}: {error}")


def _pointer(location: tuple[str | int, ...]) -> str:
    """An RFC 6901 pointer into the body; into `query`, `path` or `headers` for what is not in it."""
    place, *path = location
    parts = path if place == "body" else [place, *path]
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
