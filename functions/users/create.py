"""POST /api/v1/users: create a user."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.auth import passwords
from shared.database import Statements
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.idempotency import run_once
from shared.schemas.requests import NewUser

app = Api(access=Access.ADMIN, idempotent=True)


@app.post(
    "/api/v1/users",
    tags=["users"],
    summary="Create a user.",
    description=(
        "For admins. Without a role the user is a client; without a balance the user gets the opening "
        "credit of the role. An e-mail that has an account returns 409."
    ),
    operation_id="createUser",
    responses=documented(
        "User", 409, status=201, headers=("Location", "Idempotent-Replayed"), description="The created user."
    ),
    status_code=201,
)
def create_user(body: NewUser) -> Response[str]:
    def create(statements: Statements) -> str:
        return accounts.create_user(
            body.email,
            body.password,
            body.role,
            body.balance,
            statements,
            status=body.status,
            admin_id=app.caller.id,
        )[1]

    payload = {**body.model_dump(), "password": passwords.digest(body.password)}
    response = run_once(app.idempotent_request(payload), create)
    return created(response.body, "/api/v1/users", headers=response.headers)
