"""DELETE /api/v1/webhooks/{id}: delete a webhook."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import webhooks
from shared.http.api import Access, Api
from shared.http.responses import documented, done

app = Api(access=Access.SESSION)


@app.delete(
    "/api/v1/webhooks/<id>",
    tags=["webhooks"],
    summary="Delete a webhook.",
    description="Deliveries that wait are not sent. A request that is already on its way may still arrive.",
    operation_id="deleteWebhook",
    responses=documented("Done", 404, description="The webhook is deleted."),
)
def delete_webhook(id: UUID) -> Response[str]:
    webhooks.delete(app.caller, id)
    return done("The webhook is deleted.")
