"""GET /api/v1/records: list records."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import RECORDS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/records",
    tags=["records"],
    summary="List records.",
    description=(
        "Returns calls and their amounts, the newest first. A client sees their own; an admin sees those of "
        "all users."
    ),
    operation_id="listRecords",
    responses=documented_list(RECORDS, description="One page of records."),
)
def list_records() -> Response[str]:
    return ok(read_page(RECORDS, app.query_string, app.caller))
