"""Refresh, sign-out, and everything else that ends a session."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.conftest import Connect
from tests.e2e.test_sign_in import COOKIES, set_cookies
from tests.support import expect
from tests.support.declared_routes import OPERATIONS, SIGNED_IN
from tests.support.http_client import API, PASSWORD, Client, exact


def test_get_refresh_returns_the_csrf_token(client: Client) -> None:
    assert exact(client.get("/refresh")) == {"csrf_token": client.csrf}


def test_get_refresh_without_a_session_returns_401(anonymous: Client) -> None:
    expect.problem(anonymous.get("/refresh"), 401)


def test_refresh_renews_all_four_cookies(client: Client) -> None:
    before = dict(client.cookies)
    response = client.refresh()
    body = exact(response)
    assert body["status"] == "success"
    assert body["expires_in"] == 15 * 60
    assert set_cookies(response).keys() == COOKIES.keys()
    assert all(client.cookies[name] != before[name] for name in COOKIES)
    assert client.csrf == client.cookies["csrf_access_token"] != before["csrf_access_token"]
    assert client.compute().status_code == 200


def test_two_tabs_that_refresh_concurrently_stay_signed_in(client: Client, connect: Connect) -> None:
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


def test_refresh_token_reused_after_two_rotations_revokes_the_session(
    client: Client, connect: Connect
) -> None:
    stolen = client.cookies["refresh_token_cookie"]
    for _ in range(2):
        assert client.refresh().status_code == 200
    assert client.balance == 20
    expect.problem(connect(bearer=stolen).post("/refresh"), 401)
    expect.problem(client.get(f"{API}/users/me"), 401)
    expect.problem(client.refresh(), 401)


def test_access_and_refresh_tokens_are_not_interchangeable(client: Client, connect: Connect) -> None:
    expect.problem(connect(bearer=client.access_token).post("/refresh"), 401)
    expect.problem(connect(bearer=client.cookies["refresh_token_cookie"]).get(f"{API}/users/me"), 401)


def test_logout_revokes_the_session_and_clears_the_cookies(client: Client, connect: Connect) -> None:
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


def test_logout_ends_only_this_session(client: Client, connect: Connect) -> None:
    elsewhere = connect()
    elsewhere.sign_in(client.email)
    assert client.post("/logout").status_code == 200
    assert elsewhere.compute().status_code == 200


def test_logout_succeeds_without_a_session(anonymous: Client) -> None:
    response = anonymous.post("/logout")
    assert exact(response)["status"] == "success"
    assert set_cookies(response).keys() == COOKIES.keys()


def test_sessions_are_listed_newest_first_and_one_is_current(client: Client, connect: Connect) -> None:
    elsewhere = connect()
    elsewhere.sign_in(client.email)
    newest, oldest = client.rows("sessions")
    assert newest.keys() == {"id", "created_at", "refreshed_at", "expires_at", "current"}
    assert (newest["current"], oldest["current"]) == (False, True)
    assert [session["current"] for session in elsewhere.rows("sessions")] == [True, False]
    assert client.rows("sessions", current="true") == [oldest]
    assert client.rows("sessions", fields="current", sort="current") == [
        {"current": False},
        {"current": True},
    ]


def test_refresh_updates_its_session(client: Client) -> None:
    (before,) = client.rows("sessions")
    assert before["refreshed_at"] is None
    assert client.refresh().status_code == 200
    (after,) = client.rows("sessions")
    assert after == {**before, "refreshed_at": after["refreshed_at"], "expires_at": after["expires_at"]}
    assert after["refreshed_at"] > before["created_at"]
    assert after["expires_at"] > before["expires_at"]


def test_ended_session_is_rejected_at_once_and_no_longer_listed(client: Client, connect: Connect) -> None:
    elsewhere = connect()
    elsewhere.sign_in(client.email)
    ended, kept = client.rows("sessions")
    assert exact(client.delete(f"{API}/sessions/{ended['id']}"))["status"] == "success"
    expect.problem(elsewhere.get(f"{API}/users/me"), 401)
    expect.problem(elsewhere.compute(), 401)
    expect.problem(elsewhere.refresh(), 401)
    assert client.rows("sessions") == [kept]
    expect.problem(client.delete(f"{API}/sessions/{ended['id']}"), 404)


def test_user_may_end_the_current_session(client: Client) -> None:
    (current,) = client.rows("sessions")
    assert client.delete(f"{API}/sessions/{current['id']}").status_code == 200
    expect.problem(client.get(f"{API}/sessions"), 401)


def test_session_of_another_user_is_neither_listed_nor_ended_even_for_an_admin(
    client: Client, other: Client, admin: Client
) -> None:
    (session,) = client.rows("sessions")
    for outsider in (other, admin):
        assert session["id"] not in [row["id"] for row in outsider.rows("sessions")]
        expect.problem(outsider.delete(f"{API}/sessions/{session['id']}"), 404)
    assert client.rows("sessions") == [session]


def test_no_session_is_current_for_an_api_key(client: Client, connect: Connect) -> None:
    program = connect(bearer=exact(client.post(f"{API}/api_keys", json={"name": "x"}))["key"])
    assert [session["current"] for session in program.rows("sessions")] == [False]


def test_demoted_admin_loses_access_immediately(admin: Client, account: Callable[..., Client]) -> None:
    demoted = account(role="admin")
    assert demoted.get(f"{API}/users").status_code == 200
    assert admin.patch(f"{API}/users/{demoted.id}", json={"role": "client"}).status_code == 204
    expect.problem(demoted.get(f"{API}/users"), 403)
    expect.problem(demoted.post(f"{API}/users/{demoted.id}/credits", json={"amount": 1, "reason": "x"}), 403)


def test_deleting_a_user_ends_sessions_and_keys_and_frees_the_email(
    admin: Client, client: Client, connect: Connect
) -> None:
    key = exact(client.post(f"{API}/api_keys", json={"name": "x"}))["key"]
    deleted_id = client.id
    assert admin.delete(f"{API}/users/{deleted_id}").status_code == 200
    for caller in (client, connect(bearer=key)):
        expect.problem(caller.get(f"{API}/users/me"), 401)
        expect.problem(caller.compute(), 401)
    expect.problem(client.refresh(), 401)
    again = connect()
    assert again.sign_in(client.email, "another-horse-3!").status_code == 200
    assert again.id != deleted_id
    assert again.balance == 20


def test_new_password_revokes_the_sessions(
    admin: Client, client: Client, connect: Connect, isolated_client: Client
) -> None:
    assert admin.patch(f"{API}/users/{client.id}", json={"password": "new-password"}).status_code == 204
    expect.problem(client.get(f"{API}/users/me"), 401)
    expect.problem(isolated_client.sign_in(client.email, PASSWORD), 401)
    assert connect().sign_in(client.email, "new-password").status_code == 200


def test_routes_without_a_required_sign_in_are_exactly_these() -> None:
    open_routes = {str(route) for route in OPERATIONS if route not in SIGNED_IN}
    assert open_routes == {
        "POST /login",
        "POST /logout",
        "POST /refresh",
        "POST /admin",
        "GET /openapi.json",
        "GET /docs",
        "GET /health",
        "GET /",
        "GET /assets/{file}",
    }
