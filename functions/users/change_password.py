"""POST /api/v1/users/me/password: change the caller's password."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.http.api import Access, Api
from shared.http.responses import documented, no_content
from shared.schemas.requests import PasswordChange

app = Api(access=Access.SESSION)


@app.post(
    "/api/v1/users/me/password",
    tags=["users"],
    summary="Change your password.",
    description=(
        "Ends your other sessions; this one and your API keys stay. The new password follows the policy of "
        "sign-up (422). A wrong current password returns 401 and is throttled like a failed sign-in "
        "(429)."
    ),
    operation_id="changePassword",
    responses=documented(None, 403, 429, status=204, description="The password is changed."),
    status_code=204,
)
def change_password(body: PasswordChange) -> Response[str]:
    accounts.change_password(app.caller, body.current_password, body.new_password, app.source_address)
    return no_content()
