"""GET /api/v1/webhooks/{id}: return one webhook, without its secret."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/webhooks/<id>",
    tags=["webhooks"],
    summary="Get a webhook.",
    description=(
        "Returns one of your own webhooks, without its secret, and whether it is paused or failing. The "
        "webhook of another user is not found (404)."
    ),
    operation_id="getWebhook",
    responses=documented("Webhook", 404, description="The webhook, without its secret."),
)
def get_webhook(id: UUID) -> Response[str]:
    row = database.one("webhook", id=id, user_id=app.caller.id)
    if row is None:
        raise NotFound("There is no such webhook.")
    return ok(row["body"])
