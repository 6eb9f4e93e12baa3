"""GET /refresh: return the CSRF token of the access token."""

from typing import cast

from aws_lambda_powertools.event_handler import Response

from shared import exact_json
from shared.auth.tokens import Claims
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SESSION)


@app.get(
    "/refresh",
    tags=["sign-in"],
    summary="Get the CSRF token.",
    description=(
        "For browser pages that cannot read the cookie `csrf_access_token`. Send an access token: an API key "
        "needs no CSRF token."
    ),
    operation_id="getCsrfToken",
    responses=documented("CsrfToken", description="The CSRF token of the access token."),
)
def csrf_token() -> Response[str]:
    claims = cast(Claims, app.credentials.claims)  # only an API key has none
    return ok(exact_json.dumps({"csrf_token": claims.csrf}))
