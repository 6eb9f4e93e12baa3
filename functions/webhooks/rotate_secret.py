"""POST /api/v1/webhooks/{id}/rotate_secret: replace a webhook's secret."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import webhooks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SESSION, media_type=None)


@app.post(
    "/api/v1/webhooks/<id>/rotate_secret",
    tags=["webhooks"],
    summary="Replace the secret of a webhook.",
    description=(
        "The response shows the new secret once. For a day each request is also signed with the previous "
        "one, so that a receiver can change it without rejecting an event. After several rotations each "
        "previous secret signs until its own day ends, at most five of them."
    ),
    operation_id="rotateWebhookSecret",
    responses=documented("WebhookWithSecret", 404, description="The webhook, with its new secret."),
)
def rotate_webhook_secret(id: UUID) -> Response[str]:
    return ok(webhooks.rotate_secret(app.caller, id))
