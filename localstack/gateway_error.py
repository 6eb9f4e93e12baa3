"""The errors that API Gateway itself sends.

An HTTP API can't customize its errors, so on AWS they are not problem documents (RFC 9457). The local gateway
sends the same bodies as AWS.
"""

import json
from http import HTTPStatus

from localstack.http_event import Response

_MESSAGES = {413: "Request Entity Too Large"}  # Python 3.13 renamed the phrase


def gateway_error(status: int) -> Response:
    """Return API Gateway's own error response."""
    message = _MESSAGES.get(status) or HTTPStatus(status).phrase
    body = json.dumps({"message": message}, separators=(",", ":"))
    return Response(status, [("Content-Type", "application/json")], body.encode())
