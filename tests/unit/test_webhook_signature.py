"""The signatures of webhooks, verified with the library of Standard Webhooks."""

import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.support.webhooks import SECRET
from webhooks.signature import sign

OTHER = "whsec_" + "YW5vdGhlciBzZWNyZXQsIGFsc28gMzIgYnl0ZXMgbG9uZw=="
BODY = '{"type" : "task.completed", "data" : {"filename" : "gr\u00fc\u00dfe.csv", "spent" : 123456789.5678}}'
ID = "0190a0a0-51c5-7c4e-8f3a-6b1d2c3e4f50"


def headers(*secrets: str, timestamp: int | None = None) -> dict[str, str]:
    moment = int(time.time()) if timestamp is None else timestamp
    return {
        "webhook-id": ID,
        "webhook-timestamp": str(moment),
        "webhook-signature": sign(secrets, ID, moment, BODY),
    }


def test_signature_is_valid_for_the_library() -> None:
    assert Webhook(SECRET).verify(BODY, headers(SECRET))["type"] == "task.completed"


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_signature_of_a_rotation_is_valid_for_both_secrets(secret: str) -> None:
    assert Webhook(secret).verify(BODY, headers(SECRET, OTHER))


def test_signature_is_equal_to_that_of_the_library() -> None:
    from datetime import UTC, datetime

    moment = datetime(2026, 11, 29, 20, 0, tzinfo=UTC)
    assert sign([SECRET], ID, int(moment.timestamp()), BODY) == Webhook(SECRET).sign(ID, moment, BODY)


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (BODY, headers(OTHER)),
        (BODY + " ", headers(SECRET)),
        (BODY, {**headers(SECRET), "webhook-id": "another"}),
        (BODY, {**headers(SECRET), "webhook-timestamp": str(int(time.time()) + 1)}),
        (BODY, headers(SECRET, timestamp=int(time.time()) - 600)),
    ],
    ids=["other secret", "other body", "other id", "other time", "too old"],
)
def test_changed_request_is_rejected_by_the_library(body: str, changed: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, changed)
