"""POST /api/v1/operations: set the price of an operation."""

from aws_lambda_powertools.event_handler import Response

from shared.database import Statements
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.idempotency import run_once
from shared.ids import uuid7
from shared.operations import catalog
from shared.operations.requests import NewOperation

app = Api(access=Access.ADMIN, idempotent=True)


@app.post(
    "/api/v1/operations",
    tags=["operations"],
    summary="Set the price of an operation.",
    description=(
        "For admins. From now on the operation can be called, at this cost. The type must be one that the "
        "service computes (422). An operation that already has a price returns 409: change its cost instead."
    ),
    operation_id="createOperation",
    responses=documented(
        "Operation",
        409,
        status=201,
        headers=("Location", "Idempotent-Replayed"),
        description="The operation and its cost.",
    ),
    status_code=201,
)
def create_operation(body: NewOperation) -> Response[str]:
    def create(statements: Statements) -> str:
        row = statements.only(
            "create_operation",
            id=uuid7(),
            type=catalog.find(body.type).name,
            cost=body.cost,
            admin_id=app.caller.id,
            audit_id=uuid7(),
        )
        return str(row["body"])

    response = run_once(app.idempotent_request(body.model_dump()), create)
    return created(response.body, "/api/v1/operations", headers=response.headers)
