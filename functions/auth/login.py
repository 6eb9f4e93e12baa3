"""POST /login: sign in, or sign up with an unknown e-mail."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.auth.tokens import LIFETIME, TokenType
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api
from shared.http.cookies import sign_in_cookies
from shared.http.responses import documented, done
from shared.schemas.requests import Login
from shared.schemas.responses import SignedIn

app = Api()


@app.post("/login", tags=["sign-in"], responses=documented(SignedIn, 401, 429, headers=("Set-Cookie",)))
def login(body: Login) -> Response[str]:
    """Sign in. An unknown e-mail with a compliant password creates a client's account."""
    with UnitOfWork() as uow:
        pair = accounts.sign_in(uow, body.email, body.password, app.source_address)
    return done(
        "Signed in.",
        cookies=sign_in_cookies(pair),
        csrf_token=pair.csrf,
        expires_in=LIFETIME[TokenType.ACCESS],
    )
