"""The errors that API Gateway itself sends.

An HTTP API has no gateway responses to customize, so on AWS these can't have the contract's problem form
(RFC 9457). Here they have the body that AWS sends.
"""

import json
from http import HTTPStatus

from localstack.http_event import Response

_MESSAGES = {413: "Request Entity Too Large"}  # Python 3.13 renamed the phrase


def gateway_error(status: int) -> Response:
    """Return API Gateway's own response to a request that no function answered."""
    message = _MESSAGES.get(status) or HTTPStatus(status).phrase
    body = json.dumps({"message": message}, separators=(",", ":"))
    return Response(status, [("Content-Type", "application/json")], body.encode())
