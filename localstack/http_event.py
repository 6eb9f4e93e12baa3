"""Convert an HTTP request to a Lambda event, and a Lambda result to an HTTP response.

HTTP API, payload format 2.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import responses
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from deploy.serverless_file import Match
from localstack.context import ACCOUNT
from localstack.http_parser import Request

# API Gateway encodes all other types in base64, including forms, application/problem+json and no type at all.
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
_OF_THE_GATEWAY = frozenset(
    ("connection", "content-length", "date", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Headers that the gateway sends itself, and ignores in a function's result."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, section 5.6.2)."""


class Client(NamedTuple):
    """The client's address, and the port of the gateway to which it is connected."""

    address: str
    port: int


class InvalidResponse(Exception):
    """The function's result is not a valid response of payload format 2.0."""


@dataclass(frozen=True)
class Response:
    """An HTTP response. Several headers may have the same name."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def status_line(self) -> str:
        return f"{self.status} {responses.get(self.status, 'Unknown')}"


def split_target(target: str) -> tuple[str, str]:
    """Return the decoded path and the encoded query of a request's target (RFC 9112, section 3.2)."""
    if not target.startswith("/"):  # a whole URL, as clients of a proxy send it, or *
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("#")[0].partition("?")
    if "%" in path:
        path = unquote_to_bytes(path).decode("utf-8", "replace")
    return path, query


def http_event(
    request: Request, client: Client, match: Match, path: str, query: str, request_id: str
) -> dict[str, Any]:
    """Return the event of a request. As on AWS, `rawPath` is decoded and `rawQueryString` is not."""
    headers = request.headers.copy()
    cookies = [cookie for part in headers.pop("cookie", "").split(";") if (cookie := part.strip())]
    forwarded = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{forwarded}, {client.address}" if forwarded else client.address
    headers["x-forwarded-port"] = str(client.port)
    headers["x-forwarded-proto"] = "http"
    now = time.time()
    domain = headers.get("host", "localhost")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "offline",
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": f"HTTP/{request.version}",
                "sourceIp": client.address,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": match.route.key,
            "stage": "$default",
            "time": _log_time(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
    if match.path_parameters:
        event["pathParameters"] = dict(match.path_parameters)
    if request.body:
        event["body"], event["isBase64Encoded"] = _encoded(request.body, headers.get("content-type", ""))
    return event


@lru_cache(maxsize=1)
def _log_time(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))


def http_response(result: Any) -> Response:
    """Return the HTTP response for a function's result. Raises: InvalidResponse."""
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return Response(200, [("Content-Type", "application/json")], text.encode())
    try:
        status = int(result["statusCode"])
    except (TypeError, ValueError):
        raise InvalidResponse(f"statusCode is {result['statusCode']!r}") from None
    headers, cookies = result.get("headers") or {}, result.get("cookies") or []
    if not 100 <= status <= 599 or not isinstance(headers, dict) or not isinstance(cookies, list):
        raise InvalidResponse("statusCode, headers or cookies do not match payload format 2.0")
    named = {_lower_name(name): (name, _header_value(value)) for name, value in headers.items()}
    named.setdefault("content-type", ("Content-Type", "text/plain;charset=UTF-8"))
    pairs = [pair for name, pair in named.items() if name not in _OF_THE_GATEWAY]
    pairs += [("Set-Cookie", _header_value(cookie)) for cookie in cookies]
    return Response(status, pairs, _body(result))


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encoded(body: bytes, content_type: str) -> tuple[str, bool]:
    """Return the body and False, or its base64 form and True if its type is binary or it is not UTF-8."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("text/") or media_type in _TEXT_TYPES:
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


@lru_cache(maxsize=1000)
def _lower_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise InvalidResponse(f"{name!r} is no header's name")
    return name.lower()


def _header_value(value: Any) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise InvalidResponse("a header's value contains a line break or NUL")
    return text if text.isascii() else text.encode("utf-8").decode("latin-1")


def _body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidResponse(f"body is {type(body).__name__}, not text")
    if not result.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidResponse("isBase64Encoded is true, but body is not base64") from None
