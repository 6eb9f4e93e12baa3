"""GET /api/v1/operations: list the operations and their costs."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import OPERATIONS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/operations",
    tags=["operations"],
    summary="List operations and their costs.",
    description="Returns the price list: every operation that can be called, and its cost in credits.",
    operation_id="listOperations",
    responses=documented_list(OPERATIONS, description="One page of operations."),
)
def list_operations() -> Response[str]:
    return ok(read_page(OPERATIONS, app.query_string, app.caller))
