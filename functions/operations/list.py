"""GET /api/v1/operations: the price list."""

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import ok
from shared.lists.registry import OPERATIONS

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/operations", tags=["operations"])
def list_operations() -> Response[str]:
    """Every operation that can be called, and its cost."""
    with UnitOfWork() as uow:
        return ok(OPERATIONS.page(uow, app.query_string, app.caller))
