"""POST /api/v1/tasks/{task_id}/cancel: cancel a task."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, tasks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN, scope="batch", media_type=None)


@app.post(
    "/api/v1/tasks/<task_id>/cancel",
    tags=["tasks"],
    summary="Cancel a task.",
    description=(
        "The task stops at its next chunk of rows. The rows already charged stay charged and recorded, and "
        "are in its results. A task that has ended returns 409."
    ),
    operation_id="cancelTask",
    responses=documented("Task", 404, 409, description="The cancelled task."),
)
def cancel_task(task_id: UUID) -> Response[str]:
    task = tasks.cancel(
        task_id, app.caller.visible_owner, lambda *ids: aws.enqueue(aws.upload_key(*ids)), app.caller.admin_id
    )
    return ok(task)
