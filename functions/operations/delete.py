"""DELETE /api/v1/operations/{id}: remove the price of an operation."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, done
from shared.ids import uuid7

app = Api(access=Access.ADMIN)


@app.delete(
    "/api/v1/operations/<id>",
    tags=["operations"],
    summary="Remove the price of an operation.",
    description=(
        "For admins. From now on, calls of the operation return 422. The records of its calls stay."
    ),
    operation_id="deleteOperation",
    responses=documented("Done", 404, description="The operation can no longer be called."),
)
def delete_operation(id: UUID) -> Response[str]:
    if database.one("delete_operation", id=id, admin_id=app.caller.id, audit_id=uuid7()) is None:
        raise NotFound("There is no such operation.")
    return done("The operation is deleted.")
