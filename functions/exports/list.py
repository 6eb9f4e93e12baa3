"""GET /api/v1/exports: list exports."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import EXPORTS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/exports",
    tags=["exports"],
    summary="List exports.",
    description="A client sees their own exports; an admin sees those of all users.",
    operation_id="listExports",
    responses=documented_list(EXPORTS, description="One page of exports."),
)
def list_exports() -> Response[str]:
    return ok(read_page(EXPORTS, app.query_string, app.caller))
