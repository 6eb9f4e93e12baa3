"""A session is refreshed once when its access token has expired, however many calls find it expired."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import jwt
import pytest

from restcalc import Client, Forbidden, NotFound, NotSignedIn
from restcalc.calls import SessionTokens
from tests.client.conftest import JWT_SECRET_KEY
from tests.support.documented_client import instance
from tests.support.http_client import PASSWORD

USER = instance({"$ref": "#/components/schemas/User"})
THREADS = 8


def expired(token: str) -> str:
    """Return an access token that expired a minute ago."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, "exp": int(time.time()) - 60}, JWT_SECRET_KEY, "HS256")


@pytest.mark.parametrize("spoil", [expired, lambda token: token + "x"], ids=["expired", "tampered"])
def test_session_is_refreshed(client: Client, spoil: Callable[[str], str]) -> None:
    tokens = client._session
    assert tokens
    client._session = SessionTokens(spoil(tokens.access), tokens.refresh)
    assert client.compute("addition", 1, 2).user_balance == 15
    assert client._session.refresh != tokens.refresh
    (session,) = client.list_sessions()
    assert session.current
    assert session.refreshed_at


def test_many_threads_refresh_once(stub: Callable[..., Client]) -> None:
    all_expired, refreshes = Barrier(THREADS), list[str]()

    def respond(request: httpx.Request) -> httpx.Response:
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        if request.url.path == "/refresh":
            refreshes.append(bearer)
            cookies = [
                ("Set-Cookie", f"{name}_token_cookie=new {name}; Path=/") for name in ("access", "refresh")
            ]
            return httpx.Response(200, json={}, headers=cookies)
        if bearer == "old access":
            all_expired.wait(30)
            return httpx.Response(401, json={"type": "/problems/not-signed-in", "detail": "Expired."})
        return httpx.Response(200, json=USER)

    client = stub(respond)
    client._session = SessionTokens("old access", "old refresh")
    with ThreadPoolExecutor(THREADS) as pool:
        users = list(pool.map(lambda _: client.get_current_user(), range(THREADS)))
    assert len(users) == THREADS
    assert refreshes == ["old refresh"]
    assert client._session == SessionTokens("new access", "new refresh")


def test_ended_session_is_reported(client: Client) -> None:
    (session,) = client.list_sessions()
    client.end_session(session.id)
    with pytest.raises(NotSignedIn, match=r"Sign in again"):
        client.get_current_user()
    assert client._session is None


def test_ended_session_is_not_replaced_by_the_api_key(stub: Callable[..., Client]) -> None:
    """The key may belong to another user, whom the call must not charge."""
    all_expired, bearers = Barrier(THREADS), set[str]()

    def respond(request: httpx.Request) -> httpx.Response:
        bearers.add(request.headers["Authorization"].removeprefix("Bearer "))
        if request.url.path != "/refresh":
            all_expired.wait(30)
        return httpx.Response(401, json={"type": "/problems/not-signed-in", "detail": "Expired."})

    def compute(number: int) -> None:
        with pytest.raises(NotSignedIn):
            client.compute("addition", number, 1)

    client = stub(respond)
    client._api_key, client._session = "the key", SessionTokens("access", "refresh")
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(compute, range(THREADS)))
    assert bearers == {"access", "refresh"}


def test_wrong_password_does_not_refresh_the_session(client: Client) -> None:
    tokens = client._session
    with pytest.raises(NotSignedIn) as caught:
        client.change_password("not the password", "Another-1!")
    assert caught.value.type == "/problems/wrong-credentials"
    assert client._session is tokens


def test_logout_ends_a_session_whose_access_token_has_expired(
    client: Client, connect: Callable[..., Client]
) -> None:
    email, tokens = client.get_current_user().email, client._session
    assert tokens
    client._session = SessionTokens(expired(tokens.access), tokens.refresh)
    client.logout()
    client.logout()  # without a session it does nothing
    with pytest.raises(NotSignedIn):
        client.get_current_user()
    other = connect()
    other.login(email, PASSWORD)
    assert [session.current for session in other.list_sessions()] == [True]


def test_key_of_the_environment_signs_the_calls(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTCALC_URL", client.url)
    monkeypatch.setenv("RESTCALC_API_KEY", client.create_api_key("a program", scopes=["read"]).key)
    with Client() as program:
        assert program.get_current_user() == client.get_current_user()
        with pytest.raises(Forbidden, match="compute") as caught:
            program.compute("addition", 1, 2)
        assert caught.value.type == "/problems/insufficient-scope"


def test_csrf_token_and_tokens_can_be_requested(client: Client) -> None:
    csrf = client.get_csrf_token()
    assert client.refresh_tokens().csrf_token != csrf


def test_failed_refresh_does_not_count_as_an_attempt_of_the_call(stub: Callable[..., Client]) -> None:
    """A DELETE that gets 404 after a lost response has succeeded. This one was never carried out before."""
    cookies = [("Set-Cookie", f"{name}_token_cookie=new {name}; Path=/") for name in ("access", "refresh")]
    refreshed = iter([503] * 2)

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/refresh":
            return httpx.Response(next(refreshed, 200), json={}, headers=cookies)
        if request.headers["Authorization"] == "Bearer old access":
            return httpx.Response(401, json={"type": "/problems/not-signed-in", "detail": "Expired."})
        return httpx.Response(404, json={"type": "/problems/not-found", "detail": "Not found."})

    client = stub(respond)
    client._retries = 1
    client._session = SessionTokens("old access", "old refresh")
    with pytest.raises(NotFound):
        client.delete_record("0" * 32)
