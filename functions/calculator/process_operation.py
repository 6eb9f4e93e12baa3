"""POST /api/v1/process_operation: compute one operation, charge for it, record it."""

from aws_lambda_powertools.event_handler import Response

from shared.billing import charges
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.operations import catalog
from shared.schemas.requests import OperationCall
from shared.schemas.responses import Charged

app = Api(who=Who.CHARGED)


@app.post(
    "/api/v1/process_operation",
    tags=["calculator"],
    responses=documented(Charged, 402, 409, headers=("Idempotent-Replayed",)),
)
def process_operation(body: OperationCall) -> Response[str]:
    """Compute first, which may be refused and costs nothing; then charge and record in one statement."""
    operation = catalog.find(body.type)
    catalog.check(operation, body.arguments)
    arguments = catalog.arguments_json(body.arguments)
    call = charges.Call(app.credentials, operation.name, arguments, app.idempotency_key)
    with UnitOfWork() as uow:
        # Nobody spends somebody else's quota who could not pay for the call.
        answer = charges.quote(uow, call) if operation.is_remote() else None
        if answer is None:
            answer = charges.charge(uow, call, catalog.compute(operation, body.arguments))
    return ok(answer.body, headers=answer.headers)
