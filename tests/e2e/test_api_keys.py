"""API keys: how a program signs in."""

from uuid import uuid4

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, Client, exact

KEYS = f"{API}/api_keys"


def make(client: Client, name: str = "nightly run") -> dict[str, str]:
    response = client.post(KEYS, json={"name": name})
    assert response.status_code == 201, response.text
    made: dict[str, str] = response.json()
    assert response.headers["Location"] == f"{KEYS}/{made['id']}"
    return made


def test_a_new_key_is_shown_this_once(client: Client) -> None:
    made = make(client)
    assert made["name"] == "nightly run"
    assert made["key"].startswith("rc_")
    response = client.get(KEYS)
    (listed,) = exact(response)["api_keys"]
    assert listed == {name: made[name] for name in ("id", "name", "created_at")}
    assert made["key"] not in response.text
    assert exact(client.get(f"{KEYS}/{made['id']}")) == listed


def test_a_key_signs_a_program_in_without_csrf_token(client: Client, connect: Connect) -> None:
    program = connect(bearer=make(client)["key"])
    assert program.me == client.me
    assert program.compute().status_code == 200
    assert client.balance == 15


def test_a_revoked_key_is_worth_nothing(client: Client, connect: Connect) -> None:
    made = make(client)
    program = connect(bearer=made["key"])
    assert program.balance == 20
    assert exact(client.delete(f"{KEYS}/{made['id']}"))["status"] == "success"
    expect.problem(program.get(f"{API}/users/me"), 401)
    expect.problem(program.compute(), 401)
    assert exact(client.get(KEYS))["api_keys"] == []
    expect.problem(client.get(f"{KEYS}/{made['id']}"), 404)
    expect.problem(client.delete(f"{KEYS}/{made['id']}"), 404)


def test_anothers_key_is_not_seen_and_cannot_be_revoked_even_by_an_admin(
    client: Client, other: Client, admin: Client, connect: Connect
) -> None:
    made = make(client)
    for outsider in (other, admin):
        assert made["id"] not in [key["id"] for key in outsider.rows("api_keys")]
        expect.problem(outsider.get(f"{KEYS}/{made['id']}"), 404)
        expect.problem(outsider.delete(f"{KEYS}/{made['id']}"), 404)
    assert connect(bearer=made["key"]).balance == 20


def test_a_key_that_never_was_is_not_found(client: Client) -> None:
    expect.problem(client.get(f"{KEYS}/{uuid4()}"), 404)
    expect.problem(client.delete(f"{KEYS}/{uuid4()}"), 404)


def test_a_key_outlives_the_session_that_made_it(client: Client, connect: Connect) -> None:
    program = connect(bearer=make(client)["key"])
    client.post("/logout")
    assert program.compute().status_code == 200


def test_a_key_has_no_csrf_token_and_does_not_refresh(client: Client, connect: Connect) -> None:
    program = connect(bearer=make(client)["key"])
    expect.problem(program.get("/refresh"), 401)
    expect.problem(program.post("/refresh"), 401)
