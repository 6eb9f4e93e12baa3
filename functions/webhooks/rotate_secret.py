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
        "The response shows the new secret once. The previous one signs too for a day, so a receiver can "
        "change it without missing an event. A secret from an earlier rotation keeps its day too; at most "
        "five previous secrets sign."
    ),
    operation_id="rotateWebhookSecret",
    responses=documented("WebhookWithSecret", 404, description="The webhook, with its new secret."),
)
def rotate_webhook_secret(id: UUID) -> Response[str]:
    return ok(webhooks.rotate_secret(app.caller, id))
