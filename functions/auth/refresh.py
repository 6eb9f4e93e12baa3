"""POST /refresh: exchange a refresh token for new tokens."""

from aws_lambda_powertools.event_handler import Response

from shared.auth import sessions
from shared.auth.tokens import LIFETIME, TokenType
from shared.errors import NotSignedIn
from shared.http.api import Api
from shared.http.cookies import sign_in_cookies
from shared.http.responses import documented, done

app = Api(media_type=None)


@app.post(
    "/refresh",
    tags=["sign-in"],
    summary="Refresh the tokens.",
    description=(
        "Send the refresh token in its cookie or as a bearer token. The response sets new tokens as "
        "cookies. A refresh token is valid once: a second use more than 10 seconds later ends the session "
        "(401)."
    ),
    operation_id="refreshTokens",
    security=[{"refresh_cookie": []}, {"bearer": []}],
    responses=documented(
        "SignedIn", 401, 403, headers=("Set-Cookie",), description="New tokens, in the cookies."
    ),
)
def refresh() -> Response[str]:
    claims = app.credentials_of(TokenType.REFRESH).claims
    if claims is None:
        raise NotSignedIn("Send a refresh token.")
    pair = sessions.refresh(claims.session_id, claims.token_id)
    return done(
        "Refreshed.",
        cookies=sign_in_cookies(pair),
        csrf_token=pair.csrf,
        expires_in=LIFETIME[TokenType.ACCESS],
    )
