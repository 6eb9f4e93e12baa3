"""The gateway's own refusals, in the contract's form (RFC 9457)."""

import json

from localstack.http_event import Response
from shared.app import HEADERS

_PROBLEMS = {
    400: ("malformed-request", "The request can't be read"),
    404: ("not-found", "There is no such thing"),
    413: ("payload-too-large", "The request is too large"),
    414: ("uri-too-long", "The path and query are too long"),
    431: ("headers-too-large", "The headers are too large"),
    500: ("internal-error", "Something went wrong on our side"),
    501: ("not-implemented", "That transfer coding is not taken here"),
    503: ("service-unavailable", "The service can't do that just now"),
}


def problem(status: int, detail: str, request_id: str) -> Response:
    """`detail` is for the person who made the request."""
    slug, title = _PROBLEMS[status]
    document = {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request_id,
    }
    headers = [
        ("Content-Type", "application/problem+json"),
        *HEADERS.items(),
        ("X-Request-Id", request_id),
    ]
    if status == 503:
        headers.append(("Retry-After", "1"))
    return Response(status, headers, json.dumps(document).encode())
