"""GET /api/v1/ledger: list movements of money."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import LEDGER

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/ledger",
    tags=["ledger"],
    summary="List movements of money.",
    description=(
        "Returns each movement of money with the balance before and after it. A client sees their own; an "
        "admin sees those of all users."
    ),
    operation_id="listLedger",
    responses=documented_list(LEDGER, description="One page of ledger entries."),
)
def list_ledger() -> Response[str]:
    return ok(read_page(LEDGER, app.query_string, app.caller))
