"""Events that API Gateway sends to a function (HTTP API, payload 2.0)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode


def post(
    path: str, body: Any, *, headers: Mapping[str, str] | None = None, cookies: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the event of a POST with a JSON body."""
    all_headers = {"content-type": "application/json", **(headers or {})}
    return {**_call("POST", path, all_headers), "cookies": list(cookies), "body": json.dumps(body)}


def get(path: str, token: str, **query: Any) -> dict[str, Any]:
    """Return the event of a GET with an access token."""
    return {**_call("GET", path, {"authorization": f"Bearer {token}"}), "rawQueryString": urlencode(query)}


def _call(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "requestId": "benchmark",
            "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.7", "protocol": "HTTP/1.1"},
        },
        "isBase64Encoded": False,
    }
