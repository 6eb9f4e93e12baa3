"""API keys: sign-in of programs."""

from uuid import uuid4

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, Client, exact

KEYS = f"{API}/api_keys"


def create_key(client: Client, name: str = "nightly run") -> dict[str, str]:
    response = client.post(KEYS, json={"name": name})
    assert response.status_code == 201, response.text
    created: dict[str, str] = response.json()
    assert response.headers["Location"] == f"{KEYS}/{created['id']}"
    return created


def test_new_key_is_shown_only_once(client: Client) -> None:
    created = create_key(client)
    assert created["name"] == "nightly run"
    assert created["key"].startswith("rc_")
    response = client.get(KEYS)
    (listed,) = exact(response)["api_keys"]
    assert listed == {name: value for name, value in created.items() if name != "key"}
    assert created["key"] not in response.text
    assert exact(client.get(f"{KEYS}/{created['id']}")) == listed


def test_key_authenticates_without_a_csrf_token(client: Client, connect: Connect) -> None:
    program = connect(bearer=create_key(client)["key"])
    assert program.me == client.me
    assert program.compute().status_code == 200
    assert client.balance == 15


def test_revoked_key_is_rejected(client: Client, connect: Connect) -> None:
    created = create_key(client)
    program = connect(bearer=created["key"])
    assert program.balance == 20
    assert exact(client.delete(f"{KEYS}/{created['id']}"))["status"] == "success"
    expect.problem(program.get(f"{API}/users/me"), 401)
    expect.problem(program.compute(), 401)
    assert exact(client.get(KEYS))["api_keys"] == []
    expect.problem(client.get(f"{KEYS}/{created['id']}"), 404)
    expect.problem(client.delete(f"{KEYS}/{created['id']}"), 404)


def test_key_of_another_user_is_neither_shown_nor_revocable_even_for_an_admin(
    client: Client, other: Client, admin: Client, connect: Connect
) -> None:
    created = create_key(client)
    for outsider in (other, admin):
        assert created["id"] not in [key["id"] for key in outsider.rows("api_keys")]
        expect.problem(outsider.get(f"{KEYS}/{created['id']}"), 404)
        expect.problem(outsider.delete(f"{KEYS}/{created['id']}"), 404)
    assert connect(bearer=created["key"]).balance == 20


def test_unknown_key_is_not_found(client: Client) -> None:
    expect.problem(client.get(f"{KEYS}/{uuid4()}"), 404)
    expect.problem(client.delete(f"{KEYS}/{uuid4()}"), 404)


def test_key_outlives_the_session_that_created_it(client: Client, connect: Connect) -> None:
    program = connect(bearer=create_key(client)["key"])
    client.post("/logout")
    assert program.compute().status_code == 200


def test_key_cannot_refresh(client: Client, connect: Connect) -> None:
    program = connect(bearer=create_key(client)["key"])
    expect.problem(program.get("/refresh"), 401)
    expect.problem(program.post("/refresh"), 401)
