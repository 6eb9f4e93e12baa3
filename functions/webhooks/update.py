"""PATCH /api/v1/webhooks/{id}: change a webhook, pause it, or end its pause."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import webhooks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.schemas.requests import WebhookChange

app = Api(access=Access.SESSION)


@app.patch(
    "/api/v1/webhooks/<id>",
    tags=["webhooks"],
    summary="Change a webhook.",
    description=(
        "A paused webhook gets no events: those of the pause are not sent later, and deliveries that waited "
        "continue after it, up to 4 days after their event. `paused: false` also ends a pause that the "
        "service began because the URL failed."
    ),
    operation_id="updateWebhook",
    responses=documented("Webhook", 404, description="The changed webhook."),
)
def update_webhook(id: UUID, body: WebhookChange) -> Response[str]:
    return ok(webhooks.update(app.caller, id, body.model_dump(exclude_unset=True)))
