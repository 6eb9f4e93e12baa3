"""Convert an HTTP request to a Lambda event, and a Lambda result to an HTTP response.

HTTP API, payload format 2.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from deploy.serverless_file import Match
from localstack.context import ACCOUNT

# API Gateway encodes all other types in base64, including forms, application/problem+json and no type at all.
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")

Environ = Mapping[str, Any]


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
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"


def decoded_path(environ: Environ) -> str:
    """Decode WSGI's path: its bytes are UTF-8, but WSGI decodes them as Latin-1."""
    return str(environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace") or "/"


def http_event(environ: Environ, match: Match, body: bytes, request_id: str) -> dict[str, Any]:
    """Return the event of a request. As on AWS, `rawPath` is decoded and `rawQueryString` is not."""
    headers = _headers(environ)
    cookies = [cookie for part in headers.pop("cookie", "").split(";") if (cookie := part.strip())]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": decoded_path(environ),
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "requestContext": _request_context(environ, match, headers, request_id),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if event["rawQueryString"]:
        event["queryStringParameters"] = _joined(parse_qsl(event["rawQueryString"], keep_blank_values=True))
    if match.path_parameters:
        event["pathParameters"] = dict(match.path_parameters)
    if body:
        event["body"], event["isBase64Encoded"] = _encoded(body, headers.get("content-type", ""))
    return event


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
    pairs = [(str(name), _header_value(value)) for name, value in headers.items()]
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", "text/plain;charset=UTF-8"))
    pairs += [("Set-Cookie", _header_value(cookie)) for cookie in cookies]
    return Response(status, pairs, _body(result))


def _headers(environ: Environ) -> dict[str, str]:
    """Return the headers with lower-case names. gunicorn joins repeated ones by commas, like API Gateway."""
    headers = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    forwarded = headers.get("x-forwarded-for")
    source = environ.get("REMOTE_ADDR", "")
    headers["x-forwarded-for"] = f"{forwarded}, {source}" if forwarded else source
    headers["x-forwarded-port"] = str(environ.get("SERVER_PORT", ""))
    headers["x-forwarded-proto"] = environ.get("wsgi.url_scheme", "http")
    return headers


def _request_context(
    environ: Environ, match: Match, headers: Mapping[str, str], request_id: str
) -> dict[str, Any]:
    now = time.time()
    domain = headers.get("host", "localhost")
    return {
        "accountId": ACCOUNT,
        "apiId": "offline",
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": environ["REQUEST_METHOD"],
            "path": decoded_path(environ),
            "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "sourceIp": environ.get("REMOTE_ADDR", ""),
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": match.route.key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


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


def _header_value(value: Any) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if any(character in text for character in "\r\n\0"):
        raise InvalidResponse("a header's value contains a line break or NUL")
    return text.encode("utf-8").decode("latin-1")


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
