"""GET /api/v1/operations: the price list."""

from aws_lambda_powertools.event_handler import Response

from shared.answers import ok
from shared.app import Api, Who
from shared.lists import OPERATIONS
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/operations", tags=["operations"])
def list_operations() -> Response[str]:
    """Every operation that can be called, and its cost."""
    with UnitOfWork() as uow:
        return ok(OPERATIONS.page(uow, app.query_string, app.caller))
