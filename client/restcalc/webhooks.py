"""Verify the requests that the service sends to a webhook (Standard Webhooks).

    from restcalc.webhooks import verify

    event = verify(secret, request.headers, request.body)
    if event["type"] == "task.completed":
        print(event["data"]["id"])

Any library of Standard Webhooks verifies them too. An event may arrive twice, with the same `webhook-id`.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from restcalc.codec import decode

TOLERANCE_SECONDS = 300
"""How much the time of a request may differ from that of this machine."""


class InvalidSignature(Exception):
    """The request does not come from the service, was changed, or is too old."""


def verify(secret: str, headers: Mapping[str, str], body: bytes | str) -> dict[str, Any]:
    """Return the event of a request: its `type`, `timestamp` and `data`, with exact numbers.

    Args:
        secret: the webhook's secret, `whsec_…`.
        headers: of the request, in any case.
        body: exactly as it was received.

    Raises:
        InvalidSignature: also for a signed body that is not an event.
        ValueError: the secret is not one of a webhook.
    """
    key = _key(secret)
    content = body.encode() if isinstance(body, str) else body
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = found["webhook-id"], found["webhook-timestamp"]
        signatures = found["webhook-signature"].split(" ")
        age = abs(time.time() - int(timestamp))
    except (KeyError, ValueError):
        raise InvalidSignature("The request has no valid headers of a webhook.") from None
    if age > TOLERANCE_SECONDS:
        raise InvalidSignature("The request is too old, or the clock of this machine is wrong.")
    expected = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + content, "sha256")
    wanted = f"v1,{base64.b64encode(expected).decode()}"
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in signatures):
        raise InvalidSignature("No signature of the request matches the secret.")
    try:
        return decode(content, dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidSignature("The body of the request is not an event.") from None


def _key(secret: str) -> bytes:
    """Return the key of a secret. Raises: ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("The secret must be whsec_ and base64.")
    return key
