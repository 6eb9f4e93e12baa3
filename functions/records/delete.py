"""DELETE /api/v1/records/{id}: soft-delete a record."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, done
from shared.ids import uuid7

app = Api(access=Access.ADMIN)


@app.delete(
    "/api/v1/records/<id>",
    tags=["records"],
    summary="Delete a record.",
    description=(
        "For admins. A soft delete: lists no longer show the record, unless an admin asks with "
        "`deleted=true`. The ledger is unchanged."
    ),
    operation_id="deleteRecord",
    responses=documented("Done", 404, description="The record is deleted."),
)
def delete_record(id: UUID) -> Response[str]:
    if database.one("delete_record", id=id, admin_id=app.caller.id, audit_id=uuid7()) is None:
        raise NotFound("There is no such record.")
    return done("The record is deleted.")
