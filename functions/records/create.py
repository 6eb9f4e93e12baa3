"""POST /api/v1/records: a manual entry, which moves no money."""

from aws_lambda_powertools.event_handler import Response

from shared import records
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import created, documented
from shared.schemas.requests import NewRecord
from shared.schemas.responses import Record

app = Api(who=Who.ADMIN)


@app.post(
    "/api/v1/records",
    tags=["records"],
    responses=documented(Record, status=201, headers=("Location",)),
    status_code=201,
)
def create_record(body: NewRecord) -> Response[str]:
    """Of a user and an operation that exist."""
    with UnitOfWork() as uow:
        record_id, record = records.create(uow, body.model_dump())
    return created(record, f"/api/v1/records/{record_id}")
