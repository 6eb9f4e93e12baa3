"""GET /api/v1/records/{id}: return one record."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/records/<id>",
    tags=["records"],
    summary="Get a record.",
    description=(
        "Returns one call and its amount. A client sees their own records; an admin sees those of all users."
    ),
    operation_id="getRecord",
    responses=documented("Record", 404, description="The record."),
)
def get_record(id: UUID) -> Response[str]:
    row = database.one("record", id=id, owner=app.caller.visible_owner)
    if row is None:
        raise NotFound("There is no such record.")
    return ok(row["body"])
