"""GET /api/v1/operations/{id}: one line of the price list."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.errors import NotFound
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.schemas.responses import Operation

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/operations/<id>", tags=["operations"], responses=documented(Operation, 404))
def get_operation(id: UUID) -> Response[str]:
    """An operation and its cost."""
    with UnitOfWork() as uow:
        row = uow.one("operation", id=id)
    if row is None:
        raise NotFound("There is no such operation.")
    return ok(row["body"])
