"""GET /api/v1/sessions: list the caller's sessions."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import SESSIONS

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/sessions",
    tags=["sign-in"],
    summary="List your sessions.",
    description=(
        "Returns one session for each device on which you are signed in. `current` is true for the session "
        "of this request, so for none if you send an API key. Admins, too, see only their own sessions."
    ),
    operation_id="listSessions",
    responses=documented_list(SESSIONS, description="One page of sessions."),
)
def list_sessions() -> Response[str]:
    return ok(read_page(SESSIONS, app.query_string, app.caller))
