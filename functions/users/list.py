"""GET /api/v1/users: the accounts."""

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import ok
from shared.lists.registry import USERS

app = Api(who=Who.ADMIN)


@app.get("/api/v1/users", tags=["users"])
def list_users() -> Response[str]:
    """Never with a password or its hash."""
    with UnitOfWork() as uow:
        return ok(USERS.page(uow, app.query_string, app.caller))
