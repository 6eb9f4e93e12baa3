"""POST /api/v1/exports: create an export."""

import json
from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, database, exports
from shared.database import Statements
from shared.http.api import Access, Api
from shared.http.responses import documented, location, ok
from shared.idempotency import run_once
from shared.schemas.requests import NewExport

app = Api(access=Access.SIGNED_IN, scope="batch", idempotent=True)


@app.post(
    "/api/v1/exports",
    tags=["exports"],
    summary="Export records or ledger entries to a file.",
    description=(
        "Writes all rows that the list would return, newest first, to a CSV or JSON Lines file in the "
        "background. `filters` and `fields` are those of the list. A client exports their own rows; an admin "
        "those of all users. Free. The file is kept for 7 days. The export fails if its user is deactivated "
        "or deleted. Too many exports at once return 429."
    ),
    operation_id="createExport",
    responses=documented(
        "Export",
        429,
        status=202,
        headers=("Location", "Idempotent-Replayed"),
        description="The export, which is queued.",
    ),
    status_code=202,
)
def create_export(body: NewExport) -> Response[str]:
    query = exports.query_string(body.resource, body.filters, body.fields)

    def create(statements: Statements) -> str:
        return exports.create(app.caller, body.resource, body.format, query, statements)

    response = run_once(app.idempotent_request(body.model_dump()), create)
    export_id = UUID(json.loads(response.body)["id"])
    if not response.replayed or _is_queued(export_id):
        aws.enqueue(aws.export_key(app.caller.id, export_id, body.format))
    headers = {"Location": location(response.body, "/api/v1/exports"), **response.headers}
    return ok(response.body, status=202, headers=headers)


def _is_queued(export_id: UUID) -> bool:
    """Whether no worker has started the export: the first request may have failed before it sent the message.

    Retries of a started export send none, because they are not throttled.
    """
    export = database.one("export", id=export_id, owner=app.caller.visible_owner)
    return export is not None and export["status"] == "queued"
