"""PATCH /api/v1/records/{id}: correct a record."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import records
from shared.http.api import Access, Api
from shared.http.responses import documented, no_content
from shared.schemas.requests import RecordChange

app = Api(access=Access.ADMIN)


@app.patch(
    "/api/v1/records/<id>",
    tags=["records"],
    summary="Correct a record.",
    description=(
        "For admins. Changes only the fields that the body names. Moves no money: the ledger and the user's "
        "balance stay as they are."
    ),
    operation_id="updateRecord",
    responses=documented(None, 404, status=204, description="The record is changed."),
    status_code=204,
)
def update_record(id: UUID, body: RecordChange) -> Response[str]:
    records.update(id, body.model_dump(exclude_unset=True), app.caller.id)
    return no_content()
