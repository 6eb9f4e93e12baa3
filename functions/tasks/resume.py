"""POST /api/v1/tasks/{task_id}/resume: resume a task that ran out of credit or was cancelled."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import aws, tasks
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.schemas.requests import Resumption

UNCHANGED = Resumption()
"""The body of a request without one."""

app = Api(access=Access.SIGNED_IN, scope="batch")


@app.post(
    "/api/v1/tasks/<task_id>/resume",
    tags=["tasks"],
    summary="Resume a task.",
    description=(
        "Continues after the last row that was charged, and charges no row twice. The task must be "
        "`out_of_credit` or `cancelled` (409). The service keeps its file for 30 days, and returns 409 "
        "afterwards. If an API key resumes it, the key's spending limit applies from now on; if a session "
        "resumes it, no key's limit does. The body may be empty. `max_spend` replaces the task's limit; "
        "without it, a task that its limit stopped stops again at the same row. Too many resumptions at once "
        "return 429."
    ),
    operation_id="resumeTask",
    responses=documented("Task", 404, 409, 429, status=202, description="The task, which is queued."),
    status_code=202,
)
def resume_task(task_id: UUID, body: Annotated[Resumption, Body()] = UNCHANGED) -> Response[str]:
    task = tasks.resume(
        task_id,
        app.caller.visible_owner,
        lambda *ids: aws.enqueue(aws.upload_key(*ids)),
        app.caller.api_key_id,
        app.caller.admin_id,
        **body.model_dump(exclude_unset=True),
    )
    return ok(task, status=202)
