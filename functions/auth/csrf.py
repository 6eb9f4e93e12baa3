"""GET /refresh: return the CSRF token of the access token."""

from aws_lambda_powertools.event_handler import Response

from shared import exact_json
from shared.errors import NotSignedIn
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.schemas.responses import CsrfToken

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/refresh",
    tags=["sign-in"],
    summary="Get the CSRF token.",
    description=(
        "For browser pages that cannot read the cookie `csrf_access_token`. Send an access token: an API key "
        "has no CSRF token (401)."
    ),
    operation_id="getCsrfToken",
    responses=documented(CsrfToken, description="The CSRF token of the access token."),
)
def csrf_token() -> Response[str]:
    if app.credentials.claims is None:
        raise NotSignedIn("An API key needs no CSRF token.")
    return ok(exact_json.dumps({"csrf_token": app.credentials.claims.csrf}))
