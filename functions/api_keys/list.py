"""GET /api/v1/api_keys: list the caller's API keys."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import API_KEYS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/api_keys",
    tags=["API keys"],
    summary="List your API keys.",
    description=(
        "Returns your own keys that are not revoked, without their secrets. Admins, too, see only their own "
        "keys."
    ),
    operation_id="listApiKeys",
    responses=documented_list(API_KEYS, description="One page of API keys."),
)
def list_api_keys() -> Response[str]:
    return ok(read_page(API_KEYS, app.query_string, app.caller))
