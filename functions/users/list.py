"""GET /api/v1/users: list users."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import USERS

app = Api(access=Access.ADMIN)


@app.get(
    "/api/v1/users",
    tags=["users"],
    summary="List users.",
    description="For admins. Never returns a password or its hash.",
    operation_id="listUsers",
    responses=documented_list(USERS, description="One page of users."),
)
def list_users() -> Response[str]:
    return ok(read_page(USERS, app.query_string, app.caller))
