"""POST /api/v1/tasks/{task_id}/start: start a quoted task."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, tasks
from shared.database import Statements
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.idempotency import run_once

app = Api(access=Access.SIGNED_IN, scope="batch", media_type=None, idempotent=True)


@app.post(
    "/api/v1/tasks/<task_id>/start",
    tags=["tasks"],
    summary="Start a quoted task.",
    description=(
        "Processes the file of a dry run again and charges its rows. It is not uploaded again; the service "
        "keeps it for 30 days, and returns 409 afterwards. A row costs the price at the time when it is "
        "charged, so the sum may differ from `cost`. If an API key starts it, its spending limit applies. "
        "The task must be `quoted` (409). Too many starts at once return 429."
    ),
    operation_id="startTask",
    responses=documented(
        "Task",
        404,
        409,
        429,
        status=202,
        headers=("Idempotent-Replayed",),
        description="The task, which is queued.",
    ),
    status_code=202,
)
def start_task(task_id: UUID) -> Response[str]:
    def start(transaction: Statements) -> str:
        return tasks.start(
            task_id,
            app.caller.visible_owner,
            lambda *ids: aws.enqueue(aws.upload_key(*ids)),
            transaction,
            app.caller.api_key_id,
            app.caller.admin_id,
        )

    response = run_once(app.idempotent_request({"task_id": str(task_id)}), start, in_transaction=True)
    return ok(response.body, status=202, headers=response.headers)
