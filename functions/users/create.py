"""POST /api/v1/users: create a user."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.schemas.requests import NewUser
from shared.schemas.responses import User

app = Api(access=Access.ADMIN)


@app.post(
    "/api/v1/users",
    tags=["users"],
    summary="Create a user.",
    description=(
        "For admins. Without a role the user is a client; without a balance the user gets the opening "
        "credit of the role. An e-mail that has an account returns 409."
    ),
    operation_id="createUser",
    responses=documented(User, 409, status=201, headers=("Location",), description="The created user."),
    status_code=201,
)
def create_user(body: NewUser) -> Response[str]:
    user_id, user = accounts.create_user(body.email, body.password, body.role, body.balance)
    return created(user, f"/api/v1/users/{user_id}")
