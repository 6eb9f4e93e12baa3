"""PATCH /api/v1/users/me: change the caller's account."""

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.auth.caller import NOT_SIGNED_IN_DETAIL
from shared.errors import NotSignedIn
from shared.http.api import Access, Api
from shared.http.responses import documented, no_content
from shared.schemas.requests import AccountChange

app = Api(access=Access.SESSION)


@app.patch(
    "/api/v1/users/me",
    tags=["users"],
    summary="Change your account.",
    description=(
        "Sets the threshold below which a movement of money emits the event `balance.low` to your webhooks. "
        "A balance that is below it already emits none."
    ),
    operation_id="updateCurrentUser",
    responses=documented(None, status=204, description="The account is changed."),
    status_code=204,
)
def update_me(body: AccountChange) -> Response[str]:
    threshold = body.low_balance_threshold
    if database.one("update_account", id=app.caller.id, low_balance_threshold=threshold) is None:
        raise NotSignedIn(NOT_SIGNED_IN_DETAIL)
    return no_content()
