"""PATCH /api/v1/users/{id}: an admin's change to a user."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import documented, no_content
from shared.schemas.requests import UserChange

app = Api(who=Who.ADMIN)


@app.patch(
    "/api/v1/users/<id>", tags=["users"], responses=documented(None, 404, 409, status=204), status_code=204
)
def update_user(id: UUID, body: UserChange) -> Response[str]:
    """A new balance writes the difference to the ledger; a new password ends the sessions and API keys."""
    with UnitOfWork() as uow:
        accounts.update_user(uow, app.caller.id, id, body.model_dump(exclude_unset=True))
    return no_content()
