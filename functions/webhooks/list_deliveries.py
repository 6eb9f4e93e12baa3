"""GET /api/v1/webhooks/{id}/deliveries: list the deliveries of a webhook."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import webhooks
from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.query import Filter
from shared.lists.read_page import read_page
from shared.lists.registry import WEBHOOK_DELIVERIES

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/webhooks/<id>/deliveries",
    tags=["webhooks"],
    summary="List the deliveries of a webhook.",
    description=(
        "Returns each event for the webhook with its attempts: when each was sent, how long it took, the "
        "status and the first characters of the response. Deliveries are kept for 30 days."
    ),
    operation_id="listWebhookDeliveries",
    responses=documented_list(WEBHOOK_DELIVERIES, 404, description="One page of deliveries."),
)
def list_webhook_deliveries(id: UUID) -> Response[str]:
    of_webhook = Filter("webhook_id", "eq", id)
    page = read_page(WEBHOOK_DELIVERIES, app.query_string, app.caller, [of_webhook])
    webhooks.check_exists(app.caller, id)
    return ok(page)
