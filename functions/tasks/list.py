"""GET /api/v1/tasks: list tasks and their progress."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import TASKS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/tasks",
    tags=["tasks"],
    summary="List tasks and their progress.",
    description=(
        "Returns uploaded files and the progress of each. A client sees their own tasks; an admin sees "
        "those of all users."
    ),
    operation_id="listTasks",
    responses=documented_list(TASKS, description="One page of tasks."),
)
def list_tasks() -> Response[str]:
    return ok(read_page(TASKS, app.query_string, app.caller))
