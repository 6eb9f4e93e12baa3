"""DELETE /api/v1/users/{id}: soft-delete a user."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import users
from shared.http.api import Access, Api
from shared.http.responses import documented, done

app = Api(access=Access.ADMIN)


@app.delete(
    "/api/v1/users/<id>",
    tags=["users"],
    summary="Delete a user.",
    description=(
        "For admins. A soft delete: it frees the e-mail, ends the sessions, revokes the API keys and deletes "
        "the webhooks. Records and ledger entries stay."
    ),
    operation_id="deleteUser",
    responses=documented("Done", 404, description="The user is deleted."),
)
def delete_user(id: UUID) -> Response[str]:
    users.delete(id, app.caller.id)
    return done("The user is deleted.")
