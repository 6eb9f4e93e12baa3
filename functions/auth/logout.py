"""POST /logout: end the session and delete the cookies."""

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.auth.tokens import TokenType
from shared.errors import NotSignedIn
from shared.http.api import Api
from shared.http.cookies import sign_out_cookies
from shared.http.responses import documented, done

app = Api(media_type=None)


@app.post(
    "/logout",
    tags=["sign-in"],
    summary="Sign out.",
    description=(
        "Ends the session of the access or refresh token and deletes the four cookies. Succeeds even "
        "without a session."
    ),
    operation_id="logout",
    security=[{"cookie": []}, {"refresh_cookie": []}, {"bearer": []}, {}],
    responses=documented(
        "Done", 403, headers=("Set-Cookie",), description="Signed out. The cookies are deleted."
    ),
)
def logout() -> Response[str]:
    for kind in TokenType:  # the access token may have expired while the refresh token is valid
        try:
            presented = app.credentials_of(kind)
        except NotSignedIn:
            continue
        database.run("revoke_session", session_id=presented.session_id)
    return done("Signed out.", cookies=sign_out_cookies())
