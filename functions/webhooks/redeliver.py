"""POST /api/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver: send an event again."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, webhooks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SESSION, media_type=None)


@app.post(
    "/api/v1/webhooks/<id>/deliveries/<delivery_id>/redeliver",
    tags=["webhooks"],
    summary="Send an event to a webhook again.",
    description=(
        "Makes a delivery due at once, whatever its status, with the same event id. If it fails, it is "
        "tried again like a new one. A paused webhook returns 409. Too many test events and redeliveries at "
        "once return 429."
    ),
    operation_id="redeliverWebhook",
    responses=documented(
        "WebhookDelivery", 404, 409, 429, status=202, description="The delivery, which is pending."
    ),
    status_code=202,
)
def redeliver_webhook(id: UUID, delivery_id: UUID) -> Response[str]:
    delivery = webhooks.redeliver(app.caller, id, delivery_id)
    aws.request_dispatch()
    return ok(delivery, status=202)
