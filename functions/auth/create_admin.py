"""POST /admin: create an admin."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.http.api import Api
from shared.http.responses import created, documented
from shared.schemas.requests import NewAdmin

app = Api()


@app.post(
    "/admin",
    tags=["sign-in"],
    summary="Create an admin.",
    description=(
        "`admin_password` must be the ADMIN_PASSWORD setting of the deployment. The account starts with 100 "
        "credits. An e-mail that has an account returns 409. Wrong passwords are throttled (429)."
    ),
    operation_id="createAdmin",
    responses=documented(
        "User", 401, 409, 429, status=201, headers=("Location",), description="The created admin."
    ),
    status_code=201,
)
def create_admin(body: NewAdmin) -> Response[str]:
    _, user = accounts.create_admin(body.email, body.password, body.admin_password, app.source_address)
    return created(user, "/api/v1/users")
