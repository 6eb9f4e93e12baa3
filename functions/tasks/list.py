"""GET /api/v1/tasks: the files and how far each is."""

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import ok
from shared.lists.registry import TASKS

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/tasks", tags=["tasks"])
def list_tasks() -> Response[str]:
    """One's own tasks; everybody's for an admin."""
    with UnitOfWork() as uow:
        return ok(TASKS.page(uow, app.query_string, app.caller))
