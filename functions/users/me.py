"""GET /api/v1/users/me: return the caller's profile and balance."""

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotSignedIn
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/users/me",
    tags=["users"],
    summary="Get your profile and balance.",
    description="Returns your own account.",
    operation_id="getCurrentUser",
    responses=documented("User", description="Your account."),
)
def me() -> Response[str]:
    row = database.one("user", id=app.caller.id)
    if row is None:
        raise NotSignedIn("The account was deleted.")
    return ok(row["body"])
