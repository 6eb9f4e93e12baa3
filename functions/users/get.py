"""GET /api/v1/users/{id}: one user."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.errors import NotFound
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.schemas.responses import User

app = Api(who=Who.ADMIN)


@app.get("/api/v1/users/<id>", tags=["users"], responses=documented(User, 404))
def get_user(id: UUID) -> Response[str]:
    """Never with a password or its hash."""
    with UnitOfWork() as uow:
        row = uow.one("user", id=id)
    if row is None:
        raise NotFound("There is no such user.")
    return ok(row["body"])
