"""POST /api/v1/tasks/{task_id}/cancel: stop a task at its next chunk."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import tasks
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.schemas.responses import Task

app = Api(who=Who.SIGNED_IN, takes=None)


@app.post("/api/v1/tasks/<task_id>/cancel", tags=["tasks"], responses=documented(Task, 404, 409))
def cancel_task(task_id: UUID) -> Response[str]:
    """What was charged stays charged and recorded."""
    with UnitOfWork() as uow:
        return ok(tasks.cancel(uow, task_id, app.caller.scope))
