"""The OpenAPI document's `webhooks`: the requests that the service sends to a webhook, by event."""

from typing import Any, get_args

from pydantic import BaseModel

from docs.examples import BODIES
from docs.list_schemas import SCHEMAS, schemas_of
from shared.schemas import responses
from shared.schemas.field_types import DeliveredEvent

EVENTS: dict[str, tuple[type[BaseModel], str, str]] = {
    "task.completed": (
        responses.Task,
        "A task has ended with all its rows.",
        "`status` is `completed`, or `quoted` for a dry run, whose results may still be written.",
    ),
    "task.stopped": (
        responses.Task,
        "A task has ended before its last row.",
        "`status` is `out_of_credit` or `cancelled`. It can be resumed. Its results may still be written.",
    ),
    "task.failed": (
        responses.Task,
        "A task has failed.",
        "`error` is the reason. Its results may still be written.",
    ),
    "export.completed": (
        responses.Export,
        "An export is complete.",
        "`GET /api/v1/exports/{id}` returns the link to its file.",
    ),
    "balance.low": (
        responses.LowBalance,
        "A charge, a file or an admin has taken the balance below the threshold of the account.",
        "Once for each crossing. `PATCH /api/v1/users/me` sets the threshold.",
    ),
    "credit.granted": (
        responses.LedgerEntry,
        "An admin has granted credit.",
        "`data` is the ledger entry.",
    ),
    "record.refunded": (
        responses.LedgerEntry,
        "An admin has refunded a record, or all records of a task.",
        "`data` is the ledger entry. Its `reference` names the record or the task.",
    ),
    "webhook.test": (
        responses.TestedWebhook,
        "The owner has requested a test.",
        "`POST /api/v1/webhooks/{id}/test` sends it.",
    ),
}
"""The model of each event's data, what it means, and what a receiver should know."""
HEADERS = {
    "webhook-id": "The id of the event, the same for each attempt. Ignore an event that you have processed.",
    "webhook-timestamp": "When the request was signed, in seconds since 1970. Reject old ones.",
    "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, for each secret.",
}
RESPONSES = {
    "2XX": {"description": "The event is delivered."},
    "410": {"description": "The service pauses the webhook."},
    "default": {"description": "The service retries: at most ten attempts in about three days."},
}
_EXAMPLES = {"Task": {"status": "completed", "seconds_left": None}}


def webhooks() -> dict[str, Any]:
    """Return the document's `webhooks`."""
    assert set(EVENTS) == set(get_args(DeliveredEvent.__value__))  # noqa: S101  (each event is documented)
    return {event: {"post": _operation(event, *described)} for event, described in EVENTS.items()}


def schemas() -> dict[str, Any]:
    """Return the schemas of the requests and of their data, by name."""
    found = dict[str, Any]()
    for event, (model, _, _) in EVENTS.items():
        found |= schemas_of(model)
        found[_name(event)] = {
            "title": _name(event),
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"const": event},
                "timestamp": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When the event happened.",
                },
                "data": {"$ref": f"{SCHEMAS}{model.__name__}"},
            },
        }
    return found


def _operation(event: str, model: type[BaseModel], summary: str, description: str) -> dict[str, Any]:
    data = {**BODIES[model.__name__], **_EXAMPLES.get(model.__name__, {})}
    example = {"type": event, "timestamp": "2026-11-23T07:00:00.000000Z", "data": data}
    content = {"schema": {"$ref": f"{SCHEMAS}{_name(event)}"}, "example": example}
    return {
        "operationId": _name(event)[0].lower() + _name(event)[1:],
        "tags": ["webhooks"],
        "summary": summary,
        "description": description,
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": RESPONSES,
        "security": [],
    }


def _name(event: str) -> str:
    """Return the name of an event's schema: `TaskCompletedEvent`."""
    return event.replace(".", " ").title().replace(" ", "") + "Event"
