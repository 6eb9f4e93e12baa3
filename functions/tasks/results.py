"""GET /api/v1/tasks/{task_id}/results: get the result CSV of a task."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, exact_json, tasks
from shared.database import Row
from shared.errors import Conflict, DomainError, NotFound
from shared.http.api import Access, Api
from shared.http.responses import JSON, documented, ok

RETRY_AFTER = 2
"""Seconds until a client should ask again for results that are being written."""

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/tasks/<task_id>/results",
    tags=["tasks"],
    summary="Get the result CSV of a task.",
    description=(
        "Redirects to a link that is valid for 15 minutes. With `Accept: application/json` it returns the "
        "link as JSON, for browsers, which cannot follow the redirect. Every task that has ended has results "
        "of the rows done so far. Until they are written it returns 409, with `Retry-After` if the task has "
        "ended. After a resumption the results of all rows replace them. After 90 days it returns 404."
    ),
    operation_id="getTaskResults",
    responses=documented("ResultsLink", 404, 409, description="The link, for `Accept: application/json`.")
    | documented(None, status=303, headers=("Location",), description="A redirect to the result CSV."),
    status_code=303,
)
def get_results(task_id: UUID) -> Response[str]:
    task = tasks.get(task_id, app.caller.visible_owner)
    if task["results"] is None:
        raise _missing(task)
    finished_at = None if task["status"] == "completed" else task["finished_at"]
    # The signature counts whole seconds.
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=aws.LINK_LIFETIME)
    link = aws.presign_download(
        aws.results_key(task["user_id"], task_id, finished_at), f"{task_id}-results.csv"
    )
    if app.accepts(JSON):
        # A page can't follow the redirect: after it, browsers send `Origin: null`, which no CORS rule allows.
        return ok(exact_json.dumps({"url": link, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}))
    return ok("", status=303, headers={"Location": link})


def _missing(task: Row) -> DomainError:
    """Return the error for a task without results."""
    if task["finished_at"] is None:
        return Conflict(f"The task is {task['status']}: results exist once it has ended. Try again then.")
    if task["results_expire_at"] <= datetime.now(UTC):
        return NotFound(
            f"The results expired on {task['results_expire_at']:%Y-%m-%d}. The list of records still has the"
            " charged rows: filter it by task_id."
        )
    return Conflict("The results are being written. Try again later.", retry_after=RETRY_AFTER)
