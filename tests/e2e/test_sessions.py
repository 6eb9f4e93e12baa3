"""Refreshing, signing out, and what ends a session."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.conftest import Connect
from tests.e2e.test_sign_in import COOKIES, set_cookies
from tests.support import expect
from tests.support.declared_routes import OPERATIONS, SIGNED_IN
from tests.support.http_client import API, PASSWORD, Client, exact


def test_get_refresh_tells_the_csrf_token(client: Client) -> None:
    assert exact(client.get("/refresh")) == {"csrf_token": client.csrf}


def test_get_refresh_tells_nobody_nothing(anybody: Client) -> None:
    expect.problem(anybody.get("/refresh"), 401)


def test_a_refresh_sets_all_four_cookies_anew(client: Client) -> None:
    before = dict(client.cookies)
    response = client.refresh()
    answer = exact(response)
    assert answer["status"] == "success"
    assert answer["expires_in"] == 15 * 60
    assert set_cookies(response).keys() == COOKIES.keys()
    assert all(client.cookies[name] != before[name] for name in COOKIES)
    assert client.csrf == client.cookies["csrf_access_token"] != before["csrf_access_token"]
    assert client.compute().status_code == 200


def test_two_tabs_that_refresh_at_once_both_stay_signed_in(client: Client, connect: Connect) -> None:
    one, other = connect(), connect()
    for tab in (one, other):
        tab.cookies.update(client.cookies)
        tab.csrf = client.csrf
    with ThreadPoolExecutor(2) as pool:
        responses = list(pool.map(Client.refresh, (one, other)))
    assert [response.status_code for response in responses] == [200, 200]
    assert one.csrf == other.csrf, "the tabs share their cookies"
    for tab in (one, other):
        assert tab.compute().status_code == 200
        assert tab.refresh().status_code == 200


def test_a_refresh_token_used_again_after_its_successor_revokes_the_whole_session(
    client: Client, connect: Connect
) -> None:
    stolen = client.cookies["refresh_token_cookie"]
    for _ in range(2):
        assert client.refresh().status_code == 200
    assert client.balance == 20
    expect.problem(connect(bearer=stolen).post("/refresh"), 401)
    expect.problem(client.get(f"{API}/users/me"), 401)
    expect.problem(client.refresh(), 401)


def test_an_access_token_does_not_refresh_and_a_refresh_token_does_not_sign_in(
    client: Client, connect: Connect
) -> None:
    expect.problem(connect(bearer=client.access_token).post("/refresh"), 401)
    expect.problem(connect(bearer=client.cookies["refresh_token_cookie"]).get(f"{API}/users/me"), 401)


def test_logging_out_revokes_the_session_and_clears_the_cookies(client: Client, connect: Connect) -> None:
    access, refresh = (client.cookies[name] for name in ("access_token_cookie", "refresh_token_cookie"))
    response = client.post("/logout")
    assert exact(response)["status"] == "success"
    for name, (value, attributes) in set_cookies(response).items():
        assert value.strip('"') == "", name
        assert "Max-Age=0" in attributes
    assert not dict(client.cookies)
    expect.problem(connect(bearer=access).get(f"{API}/users/me"), 401)
    expect.problem(connect(bearer=access).compute(), 401)
    expect.problem(connect(bearer=refresh).post("/refresh"), 401)


def test_logging_out_ends_this_session_and_no_other(client: Client, connect: Connect) -> None:
    elsewhere = connect()
    elsewhere.sign_in(client.email)
    assert client.post("/logout").status_code == 200
    assert elsewhere.compute().status_code == 200


def test_logging_out_is_well_when_nobody_is_signed_in(anybody: Client) -> None:
    response = anybody.post("/logout")
    assert exact(response)["status"] == "success"
    assert set_cookies(response).keys() == COOKIES.keys()


def test_a_demoted_admin_loses_power(admin: Client, account: Callable[..., Client]) -> None:
    demoted = account(role="admin")
    assert demoted.get(f"{API}/users").status_code == 200
    assert admin.patch(f"{API}/users/{demoted.id}", json={"role": "client"}).status_code == 204
    expect.problem(demoted.get(f"{API}/users"), 403)
    expect.problem(demoted.post(f"{API}/users/{demoted.id}/credits", json={"amount": 1, "reason": "x"}), 403)


def test_a_deleted_users_sessions_and_keys_end_and_the_email_is_free_again(
    admin: Client, client: Client, connect: Connect
) -> None:
    key = exact(client.post(f"{API}/api_keys", json={"name": "gone"}))["key"]
    gone = client.id
    assert admin.delete(f"{API}/users/{gone}").status_code == 200
    for caller in (client, connect(bearer=key)):
        expect.problem(caller.get(f"{API}/users/me"), 401)
        expect.problem(caller.compute(), 401)
    expect.problem(client.refresh(), 401)
    again = connect()
    assert again.sign_in(client.email, "another-horse-3!").status_code == 200
    assert again.id != gone
    assert again.balance == 20


def test_a_new_password_ends_the_sessions_of_the_old_one(
    admin: Client, client: Client, connect: Connect, stranger: Client
) -> None:
    assert admin.patch(f"{API}/users/{client.id}", json={"password": "new-password"}).status_code == 204
    expect.problem(client.get(f"{API}/users/me"), 401)
    expect.problem(stranger.sign_in(client.email, PASSWORD), 401)
    assert connect().sign_in(client.email, "new-password").status_code == 200


def test_every_documented_route_is_either_open_or_refuses_nobody() -> None:
    open_routes = {str(route) for route in OPERATIONS if route not in SIGNED_IN}
    assert open_routes == {
        "POST /login",
        "POST /logout",
        "POST /refresh",
        "POST /admin",
        "GET /openapi.json",
        "GET /docs",
        "GET /health",
    }
