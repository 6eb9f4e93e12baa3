"""An event of an HTTP API (payload 2.0), as API Gateway gives it to a function."""

import base64
from collections.abc import Mapping
from typing import Any


def event(
    method: str = "GET",
    path: str = "/",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: list[str] | None = None,
    query: str = "",
) -> dict[str, Any]:
    """A request; a body of bytes goes base64-encoded, as API Gateway sends what is not text."""
    sent = {"content-type": "application/json"} if body is not None else {}
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {**sent, **(headers or {})},
        "requestContext": {
            "requestId": "request-7",
            "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.7", "protocol": "HTTP/1.1"},
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if body is not None:
        made["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if cookies is not None:
        made["cookies"] = cookies
    return made
