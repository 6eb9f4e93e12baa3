"""GET /api/v1/tasks/{task_id}: return one task and its progress."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import tasks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/tasks/<task_id>",
    tags=["tasks"],
    summary="Get a task and its progress.",
    description=(
        "Returns the status, the progress, the credits spent and, once they are written, the path of the "
        "results. A client sees their own tasks; an admin sees those of all users."
    ),
    operation_id="getTask",
    responses=documented("Task", 404, description="The task."),
)
def get_task(task_id: UUID) -> Response[str]:
    return ok(tasks.get(task_id, app.caller.visible_owner)["body"])
