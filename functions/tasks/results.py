"""GET /api/v1/tasks/{task_id}/results: to the result CSV."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, tasks
from shared.answers import documented, ok
from shared.app import Api, Who
from shared.errors import Conflict
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.SIGNED_IN)


@app.get(
    "/api/v1/tasks/<task_id>/results",
    tags=["tasks"],
    responses=documented(None, 404, 409, status=303, headers=("Location",)),
    status_code=303,
)
def get_results(task_id: UUID) -> Response[str]:
    """A redirect to a presigned URL, good for 15 minutes."""
    with UnitOfWork() as uow:
        task = tasks.get(uow, task_id, app.caller.scope)
    if task["status"] != "completed":
        raise Conflict(f"The task is {task['status']}: its results are there once it is completed.")
    link = aws.grant_download(aws.results_key(task["user_id"], task_id), f"{task_id}-results.csv")
    return ok("", status=303, headers={"Location": link})
