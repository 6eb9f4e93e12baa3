"""POST /api/v1/process_operation: compute one operation, charge for it, record it."""

from aws_lambda_powertools.event_handler import Response

from shared import billing, catalog
from shared.answers import documented, ok
from shared.app import Api, Who
from shared.requests import OperationCall
from shared.resources import Charged
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.CHARGED)


@app.post(
    "/api/v1/process_operation",
    tags=["calculator"],
    responses=documented(Charged, 402, 409, headers=("Idempotent-Replayed",)),
)
def process_operation(body: OperationCall) -> Response[str]:
    """Compute first, which may be refused and costs nothing; then charge and record in one statement."""
    key = app.idempotency_key
    operation = catalog.find(body.type)
    result = catalog.compute(operation, body.arguments)
    arguments = catalog.arguments_json(body.arguments)
    with UnitOfWork() as uow:
        answer = billing.charge(uow, app.credentials, operation.name, arguments, result, key)
    return ok(answer.body, headers=answer.headers)
