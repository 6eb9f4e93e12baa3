"""POST /api/v1/tasks: create a task and the presigned POST to upload its file."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, tasks
from shared.database import Statements
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.idempotency import run_once
from shared.schemas.requests import NewTask

app = Api(access=Access.SIGNED_IN, scope="batch", idempotent=True)


@app.post(
    "/api/v1/tasks",
    tags=["tasks"],
    summary="Create a task for a file of up to 5 GB.",
    description=(
        "Returns a presigned S3 POST (`url` and `fields`), valid for 15 minutes and for this one file. "
        "Upload the file with it: the task then starts. Creating a task is free; each row of the file costs "
        "the price of its operation. With `dry_run` the rows are only checked and priced: the task ends "
        "`quoted`, with the price in `cost` and the bad rows in its results. With `max_spend` it "
        "stops as `out_of_credit` before it would spend more. Too many uploads at once return 429."
    ),
    operation_id="createTask",
    responses=documented(
        "UploadGranted",
        429,
        status=201,
        headers=("Location", "Idempotent-Replayed"),
        description="The task, and the presigned POST to upload its file.",
    ),
    status_code=201,
)
def create_task(body: NewTask) -> Response[str]:
    def upload_grant(task_id: UUID) -> dict[str, Any]:
        return aws.presign_upload(aws.upload_key(app.caller.id, task_id), body.size)

    def create(statements: Statements) -> str:
        _, task = tasks.create(
            app.caller,
            body.filename,
            body.size,
            "awaiting_upload",
            dry_run=body.dry_run,
            max_spend=body.max_spend,
            extra_members=upload_grant,
            statements=statements,
        )
        return task

    response = run_once(app.idempotent_request(body.model_dump()), create)
    return created(response.body, "/api/v1/tasks", headers=response.headers)
