"""POST /logout: end the session and forget the cookies."""

from aws_lambda_powertools.event_handler import Response

from shared.auth.tokens import TokenType
from shared.database.unit_of_work import UnitOfWork
from shared.errors import NotSignedIn
from shared.http.api import Api
from shared.http.cookies import sign_out_cookies
from shared.http.responses import documented, done
from shared.schemas.responses import Done

app = Api(takes=None)


@app.post("/logout", tags=["sign-in"], responses=documented(Done, 403, headers=("Set-Cookie",)))
def logout() -> Response[str]:
    """Sign out; well also when nobody is signed in."""
    for kind in TokenType:  # the access token may have expired while the refresh token is good
        try:
            presented = app.present(kind)
        except NotSignedIn:
            continue
        with UnitOfWork() as uow:
            uow.all("revoke_session", session_id=presented.session_id)
    return done("Signed out.", cookies=sign_out_cookies())
