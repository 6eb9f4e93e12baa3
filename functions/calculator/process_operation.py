"""POST /api/v1/process_operation: compute one operation, charge for it, record it."""

from aws_lambda_powertools.event_handler import Response

from shared.billing import charges
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.operations import catalog
from shared.operations.requests import OperationCall

app = Api(access=Access.CHARGED, idempotent=True)


@app.post(
    "/api/v1/process_operation",
    tags=["calculator"],
    summary="Compute one operation and charge for it.",
    description=(
        "Costs the price of the operation (`GET /api/v1/operations`) and records the call. Calls "
        "with invalid arguments (422), or that the balance or the spending limit of the API key does not "
        "cover (402), cost nothing. Send an Idempotency-Key so that a retry is charged once and gets the "
        "first response again."
    ),
    operation_id="processOperation",
    responses=documented(
        "Charged",
        402,
        409,
        headers=("Idempotent-Replayed",),
        description="The result, the amount charged and the new balance.",
    ),
)
def process_operation(body: OperationCall) -> Response[str]:
    operation = catalog.find(body.type)
    arguments = catalog.used_arguments(operation, body.arguments)
    catalog.check(operation, arguments)
    call = charges.Call(
        app.credentials, operation.name, catalog.arguments_json(arguments), app.idempotency_key
    )
    # Check the balance before spending random.org quota.
    response = charges.quote(call) if operation.is_remote() else None
    if response is None:
        response = charges.charge(call, catalog.compute(operation, arguments))
    return ok(response.body, headers=response.headers)
