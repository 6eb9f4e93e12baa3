"""POST /api/v1/tasks/{task_id}/resume: go on with a task that ended before its file did."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, tasks
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.schemas.responses import Task

app = Api(who=Who.SIGNED_IN, takes=None)


@app.post(
    "/api/v1/tasks/<task_id>/resume",
    tags=["tasks"],
    responses=documented(Task, 404, 409, 429, status=202),
    status_code=202,
)
def resume_task(task_id: UUID) -> Response[str]:
    """Queue again a task that is out_of_credit or cancelled; it goes on where it stopped."""
    with UnitOfWork() as uow:
        task = tasks.resume(uow, task_id, app.caller.scope, lambda *ids: aws.enqueue(aws.upload_key(*ids)))
    return ok(task, status=202)
