"""DELETE /api/v1/users/{id}: soft-delete a user."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import users
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import documented, done
from shared.schemas.responses import Done

app = Api(who=Who.ADMIN)


@app.delete("/api/v1/users/<id>", tags=["users"], responses=documented(Done, 404))
def delete_user(id: UUID) -> Response[str]:
    """Soft-delete a user: free the e-mail, end the sessions and revoke the API keys."""
    with UnitOfWork() as uow:
        users.delete(uow, id)
    return done("The user is deleted.")
