"""GET /api/v1/exports/{id}: return one export, with a link to its file."""

import json
from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, database, exact_json
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/exports/<id>",
    tags=["exports"],
    summary="Get an export and the link to its file.",
    description=(
        "Returns the progress and, once the export is completed, a link that is valid for 15 minutes. A "
        "client sees their own exports; an admin sees those of all users."
    ),
    operation_id="getExport",
    responses=documented("ExportWithLink", 404, description="The export."),
)
def get_export(id: UUID) -> Response[str]:
    row = database.one("export", id=id, owner=app.caller.visible_owner)
    if row is None:
        raise NotFound("There is no such export.")
    url = None
    if row["status"] == "completed":
        key = aws.export_key(row["user_id"], id, row["format"])
        url = aws.presign_download(key, f"{row['resource']}-{id}.{row['format']}")
    return ok(exact_json.dumps({**json.loads(row["body"]), "url": url}))
