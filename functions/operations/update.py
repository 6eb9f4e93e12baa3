"""PATCH /api/v1/operations/{id}: change the cost of an operation."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.ids import uuid7
from shared.schemas.requests import OperationChange

app = Api(access=Access.ADMIN)


@app.patch(
    "/api/v1/operations/<id>",
    tags=["operations"],
    summary="Change the cost of an operation.",
    description="For admins. Later calls cost the new price; the records of earlier calls keep their amount.",
    operation_id="updateOperation",
    responses=documented("Operation", 404, description="The operation with its new cost."),
)
def update_operation(id: UUID, body: OperationChange) -> Response[str]:
    row = database.one("update_operation", id=id, cost=body.cost, admin_id=app.caller.id, audit_id=uuid7())
    if row is None:
        raise NotFound("There is no such operation.")
    return ok(row["body"])
