"""GET /api/v1/tasks/{task_id}: how far a task is."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import tasks
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.schemas.responses import Task

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/tasks/<task_id>", tags=["tasks"], responses=documented(Task, 404))
def get_task(task_id: UUID) -> Response[str]:
    """One's own task; anybody's for an admin."""
    with UnitOfWork() as uow:
        return ok(tasks.get(uow, task_id, app.caller.scope)["body"])
