"""POST /api/v1/process_csv: upload a small file and start its task."""

from aws_lambda_powertools.event_handler import Response

from shared import aws, database, tasks
from shared.errors import PayloadTooLarge, ServiceUnavailable
from shared.http.api import MULTIPART, Access, Api
from shared.http.forms import parse_upload
from shared.http.responses import documented, ok
from shared.schemas.responses import TaskAccepted

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes: a larger file would exceed the 6 MB of a Lambda event when base64-encoded."""

app = Api(access=Access.SIGNED_IN, media_type=MULTIPART)


@app.post(
    "/api/v1/process_csv",
    tags=["tasks"],
    summary="Upload a CSV file of up to 4 MB and start its task.",
    description=(
        "The file has a header line and the columns `operation,arguments`. Each row costs the price of "
        "its operation; invalid rows cost nothing. For larger files (413) use POST /api/v1/tasks. Too many "
        "uploads at once return 429."
    ),
    operation_id="processCsv",
    responses=documented(
        TaskAccepted, 429, status=202, headers=("Location",), description="The task, which is queued."
    ),
    status_code=202,
)
def process_csv() -> Response[str]:
    # Not a parameter of type File: Powertools' own parser cuts a file at text that resembles the boundary.
    filename, content = parse_upload(app.content_type, app.body)
    if len(content) > LARGEST_FILE:
        raise PayloadTooLarge(
            f"The file is larger than {LARGEST_FILE} bytes. Upload it with POST /api/v1/tasks."
        )
    task_id, task = tasks.create(app.caller, tasks.plain_name(filename), len(content), "queued")
    try:
        aws.store(aws.upload_key(app.caller.id, task_id), content)
    except ServiceUnavailable as error:
        database.one("fail_task", id=task_id, error="The file could not be stored.", announced=False)
        raise error
    return ok(task, status=202, headers={"Location": f"/api/v1/tasks/{task_id}"})
