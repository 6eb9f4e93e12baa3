"""GET /api/v1/webhooks: list the caller's webhooks."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import WEBHOOKS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/webhooks",
    tags=["webhooks"],
    summary="List your webhooks.",
    description="Returns your own webhooks without their secrets. Admins, too, see only their own.",
    operation_id="listWebhooks",
    responses=documented_list(WEBHOOKS, description="One page of webhooks."),
)
def list_webhooks() -> Response[str]:
    return ok(read_page(WEBHOOKS, app.query_string, app.caller))
