"""What API Gateway sends to a function (HTTP API, payload 2.0)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def post(
    path: str, body: Any, *, headers: Mapping[str, str] | None = None, cookies: Sequence[str] = ()
) -> dict[str, Any]:
    """A POST of JSON."""
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "cookies": list(cookies),
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": {
            "requestId": "benchmark",
            "stage": "$default",
            "http": {"method": "POST", "path": path, "sourceIp": "192.0.2.7", "protocol": "HTTP/1.1"},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
