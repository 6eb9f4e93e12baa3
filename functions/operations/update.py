"""PATCH /api/v1/operations/{id}: another price."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import catalog
from shared.answers import documented, ok
from shared.app import Api, Who
from shared.errors import NotFound
from shared.requests import OperationChange
from shared.resources import Operation
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.ADMIN)


@app.patch("/api/v1/operations/<id>", tags=["operations"], responses=documented(Operation, 404, 409))
def update_operation(id: UUID, body: OperationChange) -> Response[str]:
    """Calls from now on cost this; earlier records keep what they cost."""
    changes = body.model_dump(exclude_unset=True)
    named = catalog.find(changes["type"]).name if "type" in changes else None
    with UnitOfWork() as uow:
        row = uow.one("update_operation", id=id, type=named, cost=changes.get("cost"))
    if row is None:
        raise NotFound("There is no such operation.")
    return ok(row["body"])
