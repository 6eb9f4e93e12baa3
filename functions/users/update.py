"""PATCH /api/v1/users/{id}: change a user."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.http.api import Access, Api
from shared.http.responses import documented, no_content
from shared.schemas.requests import UserChange

app = Api(access=Access.ADMIN)


@app.patch(
    "/api/v1/users/<id>",
    tags=["users"],
    summary="Change a user.",
    description=(
        "For admins. Changes only the fields that the body names. A new balance writes the difference to "
        "the ledger; a new password ends the sessions and API keys. The status `inactive` ends the sessions, "
        "blocks the API keys and cancels the unfinished tasks; the balance stays. After `active`, the user "
        "can sign in again and the API keys work again. An e-mail that has another account, and the status "
        "`inactive` for your own account, return 409."
    ),
    operation_id="updateUser",
    responses=documented(None, 404, 409, status=204, description="The user is changed."),
    status_code=204,
)
def update_user(id: UUID, body: UserChange) -> Response[str]:
    accounts.update_user(app.caller.id, id, body.model_dump(exclude_unset=True))
    return no_content()
