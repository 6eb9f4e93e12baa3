"""POST /api/v1/operations: set the price of an operation."""

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.http.api import Api, Who
from shared.http.responses import created, documented
from shared.ids import uuid7
from shared.operations import catalog
from shared.schemas.requests import NewOperation
from shared.schemas.responses import Operation

app = Api(who=Who.ADMIN)


@app.post(
    "/api/v1/operations",
    tags=["operations"],
    summary="Set the price of an operation.",
    description=(
        "For admins. Calls of the operation are accepted from now on, at this cost. The type must be one "
        "that the service can compute; an operation that has a price already is refused (409): change its "
        "cost instead."
    ),
    operation_id="createOperation",
    responses=documented(
        Operation, 409, status=201, headers=("Location",), description="The operation and its cost."
    ),
    status_code=201,
)
def create_operation(body: NewOperation) -> Response[str]:
    operation_id = uuid7()
    row = database.only(
        "create_operation", id=operation_id, type=catalog.find(body.type).name, cost=body.cost
    )
    return created(row["body"], f"/api/v1/operations/{operation_id}")
