"""POST /api/v1/users: an account made by an admin."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import created, documented
from shared.schemas.requests import NewUser
from shared.schemas.responses import User

app = Api(who=Who.ADMIN)


@app.post(
    "/api/v1/users",
    tags=["users"],
    responses=documented(User, 409, status=201, headers=("Location",)),
    status_code=201,
)
def create_user(body: NewUser) -> Response[str]:
    """A client unless said otherwise, with the role's opening credit unless said otherwise."""
    with UnitOfWork() as uow:
        user_id, user = accounts.create_user(uow, body.email, body.password, body.role, body.balance)
    return created(user, f"/api/v1/users/{user_id}")
