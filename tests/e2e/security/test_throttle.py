"""API2, guessing passwords: 5 failures per minute and e-mail, 30 per source address."""

from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import Declared
from tests.support.http_client import Client, new_email


def guess(route: Declared) -> dict[str, Any]:
    """Return a body in which every secret is wrong."""
    return {name: "wrong-horse-2!" for name in route.fields if "password" in name}


@at_risk(Risk.GUESSING)
def test_sixth_wrong_password_for_an_email_returns_429(
    client: Client, isolated_client: Client, route: Declared
) -> None:
    body = guess(route)
    if route.needs_sign_in:
        assert isolated_client.sign_in(client.email).status_code == 200
    else:
        body["email"] = client.email
    for _ in range(5):
        expect.problem(send_request(isolated_client, route, json=body), 401)
    response = send_request(isolated_client, route, json=body)
    assert expect.problem(response, 429)["type"] == "/problems/too-many-requests"
    assert 1 <= int(response.headers["Retry-After"]) <= 60


def test_throttled_email_is_rejected_even_with_the_right_password(
    client: Client, other: Client, isolated_client: Client
) -> None:
    for _ in range(5):
        isolated_client.sign_in(client.email, "wrong")
    expect.problem(isolated_client.sign_in(client.email), 429)
    assert isolated_client.sign_in(other.email).status_code == 200


def test_successful_sign_ins_are_not_throttled(client: Client, connect: Connect) -> None:
    for _ in range(8):
        assert connect().sign_in(client.email).status_code == 200


@pytest.mark.local
def test_address_is_throttled_after_its_thirtieth_failure(isolated_client: Client, anonymous: Client) -> None:
    for failures in range(60):  # the bucket refills one attempt every two seconds
        claimed = {"X-Forwarded-For": f"203.0.113.{failures}", "Forwarded": f"for=203.0.113.{failures}"}
        guessed = {"email": new_email(), "password": "wrong"}
        response = isolated_client.post("/login", json=guessed, headers=claimed)
        if response.status_code != 401:
            break
    expect.problem(response, 429)
    assert failures >= 30
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert anonymous.sign_in(new_email()).status_code == 200, "another address is not throttled"


def test_unknown_and_known_emails_get_the_same_responses(client: Client, isolated_client: Client) -> None:
    def sign_in_problems(email: str) -> list[dict[str, Any]]:
        responses = [isolated_client.sign_in(email, "no-digit") for _ in range(6)]
        problems = [expect.any_problem(response) for response in responses]
        assert [problem["status"] for problem in problems] == [401] * 5 + [429]
        problems[-1]["detail"] = problems[-1]["detail"].split(" in ")[0]  # the number of seconds varies
        return [
            {**problem, "instance": "", "headers": sorted(r.headers)}
            for problem, r in zip(problems, responses, strict=True)
        ]

    assert sign_in_problems(client.email) == sign_in_problems(new_email())
