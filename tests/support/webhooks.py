"""Webhooks in tests: their rows, and the events and deliveries that the service wrote."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

from shared import database
from shared.ids import uuid7
from shared.schemas.field_types import WebhookEvent
from tests.support.http_client import API, Client

Sql = Callable[..., list[list[Any]]]

EVENTS: tuple[str, ...] = get_args(WebhookEvent.__value__)
"""All events to which a webhook can be subscribed."""
UNKNOWN_HOST = "https://hooks.restcalculator.invalid/"
SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG9uZw=="


def subscribe(user_id: UUID, events: Iterable[str] = EVENTS, url: str = "https://example.com/hook") -> UUID:
    """Insert a webhook of a user, and return its id."""
    webhook_id = uuid7()
    database.query(
        """INSERT INTO webhooks (id, user_id, url, events, secret)
           VALUES (:id::uuid, :user_id::uuid, :url, :events::text[], :secret)""",
        {"id": webhook_id, "user_id": user_id, "url": url, "events": list(events), "secret": SECRET},
    )
    return webhook_id


def create_webhook(client: Client, **members: Any) -> dict[str, Any]:
    """Create a webhook over HTTP, and return it with its secret. Its host does not exist by default."""
    body = {"url": UNKNOWN_HOST, "events": ["task.completed"], **members}
    response = client.post(f"{API}/webhooks", json=body)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"{API}/webhooks/{created['id']}"
    return created


def emitted(sql: Sql, user_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    """Return the type and the data of each event of a user, in the order in which they happened."""
    bodies = sql("SELECT body FROM webhook_events WHERE user_id = :id ORDER BY created_at", id=user_id)
    parsed = [json.loads(body, parse_float=Decimal) for (body,) in bodies]
    return [(body["type"], body["data"]) for body in parsed]
