"""POST /refresh: new tokens for a refresh token."""

from aws_lambda_powertools.event_handler import Response

from shared.auth import sessions
from shared.auth.tokens import LIFETIME, TokenType
from shared.database.unit_of_work import UnitOfWork
from shared.errors import NotSignedIn
from shared.http.api import Api
from shared.http.cookies import sign_in_cookies
from shared.http.responses import documented, done
from shared.schemas.responses import SignedIn

app = Api(takes=None)


@app.post("/refresh", tags=["sign-in"], responses=documented(SignedIn, 401, 403, headers=("Set-Cookie",)))
def refresh() -> Response[str]:
    """Swap the refresh token; one that was used before ends its session."""
    claims = app.present(TokenType.REFRESH).claims
    if claims is None:
        raise NotSignedIn("Send a refresh token.")
    with UnitOfWork() as uow:
        pair = sessions.refresh(uow, claims.session_id, claims.token_id)
    return done(
        "Refreshed.",
        cookies=sign_in_cookies(pair),
        csrf_token=pair.csrf,
        expires_in=LIFETIME[TokenType.ACCESS],
    )
