"""GET /api/v1/users: the accounts."""

from aws_lambda_powertools.event_handler import Response

from shared.answers import ok
from shared.app import Api, Who
from shared.lists import USERS
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.ADMIN)


@app.get("/api/v1/users", tags=["users"])
def list_users() -> Response[str]:
    """Never with a password or its hash."""
    with UnitOfWork() as uow:
        return ok(USERS.page(uow, app.query_string, app.caller))
