"""GET /api/v1/tasks/{task_id}/results: get the result CSV of a task."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, exact_json, tasks
from shared.errors import Conflict
from shared.http.api import Access, Api
from shared.http.responses import JSON, documented, ok
from shared.schemas.responses import ResultsLink

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/tasks/<task_id>/results",
    tags=["tasks"],
    summary="Get the result CSV of a task.",
    description=(
        "Redirects to a link that is valid for 15 minutes. With `Accept: application/json` it returns the "
        "link as JSON, for browsers, which cannot follow the redirect. A task that is not completed has no "
        "results (409)."
    ),
    operation_id="getTaskResults",
    responses=documented(ResultsLink, 404, 409, description="The link, for `Accept: application/json`.")
    | documented(None, status=303, headers=("Location",), description="A redirect to the result CSV."),
    status_code=303,
)
def get_results(task_id: UUID) -> Response[str]:
    task = tasks.get(task_id, app.caller.scope)
    if task["status"] != "completed":
        raise Conflict(f"The task is {task['status']}: results exist once it is completed. Try again then.")
    # The signature counts whole seconds.
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=aws.LINK_LIFETIME)
    link = aws.presign_download(aws.results_key(task["user_id"], task_id), f"{task_id}-results.csv")
    if app.accepts(JSON):
        # A page can't follow the redirect: after it, browsers send `Origin: null`, which no CORS rule allows.
        return ok(exact_json.dumps({"url": link, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}))
    return ok("", status=303, headers={"Location": link})
