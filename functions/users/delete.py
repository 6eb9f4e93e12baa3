"""DELETE /api/v1/users/{id}: an account put out of use."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.answers import documented, done
from shared.app import Api, Who
from shared.errors import NotFound
from shared.resources import Done
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.ADMIN)


@app.delete("/api/v1/users/<id>", tags=["users"], responses=documented(Done, 404))
def delete_user(id: UUID) -> Response[str]:
    """A soft delete: frees the e-mail, ends the sessions, revokes the API keys."""
    with UnitOfWork() as uow:
        if uow.one("delete_user", id=id) is None:
            raise NotFound("There is no such user.")
    return done("The user is deleted.")
