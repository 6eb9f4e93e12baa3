"""GET /api/v1/users/{id}: return one user."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.ADMIN)


@app.get(
    "/api/v1/users/<id>",
    tags=["users"],
    summary="Get a user.",
    description="For admins. Never returns a password or its hash.",
    operation_id="getUser",
    responses=documented("User", 404, description="The user."),
)
def get_user(id: UUID) -> Response[str]:
    row = database.one("user", id=id)
    if row is None:
        raise NotFound("There is no such user.")
    return ok(row["body"])
