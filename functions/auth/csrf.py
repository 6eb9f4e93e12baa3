"""GET /refresh: the CSRF token, for pages that can't read its cookie."""

import json

from aws_lambda_powertools.event_handler import Response

from shared.errors import NotSignedIn
from shared.http.api import Api, Who
from shared.http.responses import documented, ok
from shared.schemas.responses import CsrfToken

app = Api(who=Who.SIGNED_IN)


@app.get("/refresh", tags=["sign-in"], responses=documented(CsrfToken))
def csrf_token() -> Response[str]:
    """The CSRF token that belongs to the access token."""
    if app.credentials.claims is None:
        raise NotSignedIn("An API key needs no CSRF token.")
    return ok(json.dumps({"csrf_token": app.credentials.claims.csrf}))
