"""POST /api/v1/webhooks/{id}/test: send a test event to a webhook."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, webhooks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SESSION, media_type=None)


@app.post(
    "/api/v1/webhooks/<id>/test",
    tags=["webhooks"],
    summary="Send a test event to a webhook.",
    description=(
        "Sends the event `webhook.test`, signed like the others. Read the result in the list of deliveries. "
        "A paused webhook returns 409. Too many test events and redeliveries at once return 429."
    ),
    operation_id="testWebhook",
    responses=documented(
        "WebhookDelivery", 404, 409, 429, status=202, description="The delivery, which is pending."
    ),
    status_code=202,
)
def test_webhook(id: UUID) -> Response[str]:
    delivery = webhooks.test(app.caller, id)
    aws.request_dispatch()
    return ok(delivery, status=202)
