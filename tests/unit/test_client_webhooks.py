"""The client's check of webhooks: it accepts what the library of Standard Webhooks signs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from restcalc.cli.webhook_listener import Listener
from restcalc.webhooks import InvalidSignature, verify
from tests.support.webhooks import SECRET
from webhooks.signature import sign

OTHER = "whsec_" + "YW5vdGhlciBzZWNyZXQsIGFsc28gMzIgYnl0ZXMgbG9uZw=="
BODY = '{"type":"balance.low","data":{"balance":12345678901234567.0001,"name":"gr\u00fc\u00dfe"}}'
ID = "0190a0a0-51c5-7c4e-8f3a-6b1d2c3e4f50"


def headers(secret: str = SECRET, *, age: timedelta = timedelta(), body: str = BODY) -> dict[str, str]:
    moment = datetime.now(UTC) - age
    return {
        "webhook-id": ID,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(ID, moment, body),
    }


@pytest.mark.parametrize("body", [BODY, BODY.encode()], ids=["text", "bytes"])
def test_event_is_exact(body: str | bytes) -> None:
    titled = {name.title(): value for name, value in headers().items()}
    assert verify(SECRET, titled, body)["data"] == {
        "balance": Decimal("12345678901234567.0001"),
        "name": "gr\u00fc\u00dfe",
    }


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_request_of_a_rotation_is_valid_for_both_secrets(secret: str) -> None:
    now = int(time.time())
    both = {
        "webhook-id": ID,
        "webhook-timestamp": str(now),
        "webhook-signature": sign([SECRET, OTHER], ID, now, BODY),
    }
    assert verify(secret, both, BODY)["type"] == "balance.low"


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        (lambda: headers(OTHER), BODY),
        (lambda: headers(), BODY + " "),
        (lambda: headers(), b"\xff"),
        (lambda: headers() | {"webhook-id": "another"}, BODY),
        (lambda: headers() | {"webhook-timestamp": "soon"}, BODY),
        (lambda: headers() | {"webhook-signature": "v1,\u00fc v2,x"}, BODY),
        (lambda: headers(age=timedelta(minutes=6)), BODY),
        (lambda: headers(age=timedelta(minutes=-6)), BODY),
        (dict[str, str], BODY),
    ],
    ids=["secret", "body", "no text", "id", "no time", "signature", "old", "future", "no headers"],
)
def test_other_requests_are_rejected(changed: Callable[[], dict[str, str]], body: str | bytes) -> None:
    with pytest.raises(InvalidSignature):
        verify(SECRET, changed(), body)


@pytest.mark.parametrize("body", ["", "[]", "1", "{", '{"type": "\x00"}'])
def test_signed_body_that_is_no_event_is_rejected(body: str) -> None:
    with pytest.raises(InvalidSignature, match="not an event"):
        verify(SECRET, headers(body=body), body)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_abc", "whsec_\u00fc", "whsec_****", "no secret"])
def test_malformed_secret_is_an_error_of_the_caller(secret: str) -> None:
    with pytest.raises(ValueError, match=r"must be whsec_ and base64"):
        verify(secret, headers(), BODY)


def post(listener: Listener, sent: dict[str, str]) -> int:
    return httpx.post(listener.url, content=BODY.encode(), headers=sent).status_code


def test_listener_accepts_only_signed_requests() -> None:
    with Listener.running(0) as listener:
        assert post(listener, headers()) == 503  # it has no secret yet
        listener.secret = SECRET
        assert post(listener, headers(OTHER)) == 401
        with pytest.raises(InvalidSignature):
            listener.next()
        assert post(listener, headers()) == 204
        id, event = listener.next()
        assert (id, event["type"]) == (ID, "balance.low")


def test_listener_hands_an_event_over_after_its_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command may end then, without the service repeating the request."""
    send_response, handed_over = BaseHTTPRequestHandler.end_headers, list[bool]()

    def end_headers(handler: BaseHTTPRequestHandler) -> None:
        handed_over.append(not listener.received.empty())
        send_response(handler)

    monkeypatch.setattr(BaseHTTPRequestHandler, "end_headers", end_headers)
    with Listener.running(0) as listener:
        listener.secret = SECRET
        assert post(listener, headers()) == 204
        assert listener.next()[0] == ID
    assert handed_over == [False]
