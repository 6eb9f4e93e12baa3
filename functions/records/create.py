"""POST /api/v1/records: create a manual record."""

from aws_lambda_powertools.event_handler import Response

from shared import records
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.schemas.requests import NewRecord
from shared.schemas.responses import Record

app = Api(access=Access.ADMIN)


@app.post(
    "/api/v1/records",
    tags=["records"],
    summary="Create a manual record.",
    description=(
        "For admins. Moves no money: the ledger and the user's balance stay as they are. The user and the "
        "operation must exist (422)."
    ),
    operation_id="createRecord",
    responses=documented(Record, status=201, headers=("Location",), description="The created record."),
    status_code=201,
)
def create_record(body: NewRecord) -> Response[str]:
    record_id, record = records.create(body.model_dump())
    return created(record, f"/api/v1/records/{record_id}")
