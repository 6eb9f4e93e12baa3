"""Idempotency-Key: a request that is sent twice is charged once."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, Client

REPLAYED = "Idempotent-Replayed"


def new_key() -> str:
    return f"key {uuid4()}"


def test_repeated_request_returns_the_first_response_and_is_charged_once(
    client: Client,
) -> None:
    key = new_key()
    first = client.compute("random_string", key=key)
    assert first.status_code == 200
    assert REPLAYED not in first.headers
    for _ in range(3):
        again = client.compute("random_string", key=key)
        assert again.status_code == 200
        assert again.content == first.content
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
        assert again.headers[REPLAYED] == "true"
    assert client.balance == 15
    assert len(client.rows("records")) == 1


@pytest.mark.parametrize(("type", "arguments"), [("addition", (1, 3)), ("multiplication", (1, 2))])
def test_key_reused_with_another_payload_is_rejected(
    client: Client, type: str, arguments: tuple[int, ...]
) -> None:
    key = new_key()
    assert client.compute("addition", 1, 2, key=key).status_code == 200
    problem = expect.problem(client.compute(type, *arguments, key=key), 422)
    assert problem["type"] == "/problems/idempotency-key-reused"
    assert client.balance == 15


def test_two_users_may_use_the_same_key(client: Client, other: Client) -> None:
    key = new_key()
    for one in (client, other):
        response = one.compute(key=key)
        assert response.status_code == 200
        assert REPLAYED not in response.headers
        assert one.balance == 15


def test_another_session_of_the_same_user_gets_the_replay(client: Client, connect: Connect) -> None:
    key = new_key()
    first = client.compute(key=key)
    elsewhere = connect()
    elsewhere.sign_in(client.email)
    assert elsewhere.compute(key=key).content == first.content
    assert client.balance == 15


def test_invalid_request_does_not_consume_its_key(client: Client) -> None:
    key = new_key()
    expect.problem(client.compute("division", 1, 0, key=key), 422)
    response = client.compute("division", 1, 2, key=key)
    assert response.status_code == 200
    assert REPLAYED not in response.headers


def test_request_without_credit_does_not_consume_its_key(client: Client, admin: Client) -> None:
    key = new_key()
    for _ in range(4):
        assert client.compute().status_code == 200
    expect.problem(client.compute(key=key), 402)
    topped_up = admin.post(f"{API}/users/{client.id}/credits", json={"amount": 5, "reason": "more"})
    assert topped_up.status_code == 200
    response = client.compute(key=key)
    assert response.status_code == 200
    assert REPLAYED not in response.headers
    assert client.balance == 0


def test_replay_needs_no_credit(client: Client) -> None:
    key = new_key()
    first = client.compute(key=key)
    for _ in range(3):
        assert client.compute().status_code == 200
    assert client.compute(key=key).content == first.content
    expect.problem(client.compute(), 402)


def test_concurrent_requests_with_one_key_are_charged_once(client: Client, connect: Connect) -> None:
    key, token = new_key(), client.access_token
    callers = [connect(bearer=token) for _ in range(12)]
    with ThreadPoolExecutor(len(callers)) as pool:
        responses = list(pool.map(lambda caller: caller.compute("random_string", key=key), callers))
    done = [response for response in responses if response.status_code == 200]
    assert done
    assert len({response.content for response in done}) == 1
    assert sum(REPLAYED not in response.headers for response in done) == 1
    for response in responses:
        if response not in done:
            expect.problem(response, 409)
            assert response.headers["Retry-After"] == "1"
    assert client.balance == 15
    assert len(client.rows("records")) == 1


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "tab\there", "\xe9"], ids=["empty", "long", "tab", "no ASCII"]
)
def test_invalid_key_is_rejected(client: Client, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    body = {"type": "addition", "arguments": [1, 2]}
    expect.problem(client.post(f"{API}/process_operation", json=body, headers=headers), 422)
    assert client.balance == 20


def test_key_of_255_characters_is_accepted(client: Client) -> None:
    key = uuid4().hex.ljust(255, "x")
    assert client.compute(key=key).content == client.compute(key=key).content
    assert client.balance == 15
