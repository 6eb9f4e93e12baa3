"""GET /api/v1/operations/{id}: return one operation and its cost."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/operations/<id>",
    tags=["operations"],
    summary="Get an operation and its cost.",
    description="Returns one entry of the price list. A deleted operation is not found (404).",
    operation_id="getOperation",
    responses=documented("Operation", 404, description="The operation and its cost."),
)
def get_operation(id: UUID) -> Response[str]:
    row = database.one("operation", id=id)
    if row is None:
        raise NotFound("There is no such operation.")
    return ok(row["body"])
