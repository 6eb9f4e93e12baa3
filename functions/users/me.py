"""GET /api/v1/users/me: one's own profile and balance."""

from aws_lambda_powertools.event_handler import Response

from shared.answers import documented, ok
from shared.app import Api, Who
from shared.errors import NotSignedIn
from shared.resources import User
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/users/me", tags=["users"], responses=documented(User))
def me() -> Response[str]:
    """Who is signed in, and with how much credit."""
    with UnitOfWork() as uow:
        row = uow.one("user", id=app.caller.id)
    if row is None:
        raise NotSignedIn("The account was deleted.")
    return ok(row["body"])
