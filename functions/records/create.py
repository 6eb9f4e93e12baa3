"""POST /api/v1/records: create a manual record."""

from aws_lambda_powertools.event_handler import Response

from shared import records
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.idempotency import run_once
from shared.schemas.requests import NewRecord

app = Api(access=Access.ADMIN, idempotent=True)


@app.post(
    "/api/v1/records",
    tags=["records"],
    summary="Create a manual record.",
    description=(
        "For admins. Moves no money: the ledger and the user's balance stay as they are. The user and the "
        "operation must exist (422)."
    ),
    operation_id="createRecord",
    responses=documented(
        "Record", status=201, headers=("Location", "Idempotent-Replayed"), description="The created record."
    ),
    status_code=201,
)
def create_record(body: NewRecord) -> Response[str]:
    request = app.idempotent_request(body.model_dump())
    response = run_once(
        request, lambda statements: records.create(body.model_dump(), app.caller.id, statements)[1]
    )
    return created(response.body, "/api/v1/records", headers=response.headers)
