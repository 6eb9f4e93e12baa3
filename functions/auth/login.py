"""POST /login: sign in, or sign up with an unknown e-mail."""

from aws_lambda_powertools.event_handler import Response

from shared import accounts
from shared.auth.tokens import LIFETIME, TokenType
from shared.http.api import Api
from shared.http.cookies import sign_in_cookies
from shared.http.responses import documented, done
from shared.schemas.requests import Login

app = Api()


@app.post(
    "/login",
    tags=["sign-in"],
    summary="Sign in or sign up.",
    description=(
        "An unknown e-mail with a password that follows the policy creates a client account with 20 "
        "credits. Sets the token cookies and returns the CSRF token, which POST, PATCH and DELETE requests "
        'with the cookie must send as X-CSRF-TOKEN. With `"token": true` it sets no cookies and returns the '
        "access token, for programs; sign in again when it expires. After 5 failures a minute for an e-mail, "
        "or 30 from an address, sign-in is throttled (429). An inactive account returns 403, but "
        "only to the right password."
    ),
    operation_id="login",
    responses=documented(
        "SignedIn",
        401,
        403,
        429,
        headers=("Set-Cookie",),
        description="Signed in. The cookies carry the tokens.",
    ),
)
def login(body: Login) -> Response[str]:
    pair = accounts.sign_in(body.email, body.password, app.source_address)
    token = {"access_token": pair.access} if body.token else {}
    return done(
        "Signed in.",
        cookies=() if body.token else sign_in_cookies(pair),
        csrf_token=pair.csrf,
        expires_in=LIFETIME[TokenType.ACCESS],
        **token,
    )
