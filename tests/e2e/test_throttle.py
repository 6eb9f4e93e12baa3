"""Guessing passwords: 5 failures a minute per e-mail, 30 per source address."""

import pytest

from tests.e2e import expect
from tests.e2e.client import PASSWORD, Client, new_email
from tests.e2e.conftest import Connect


def test_the_sixth_failed_sign_in_of_an_email_is_told_to_wait(client: Client, stranger: Client) -> None:
    for _ in range(5):
        expect.problem(stranger.sign_in(client.email, "wrong"), 401)
    response = stranger.sign_in(client.email, "wrong")
    assert expect.problem(response, 429)["type"] == "/problems/too-many-requests"
    assert 1 <= int(response.headers["Retry-After"]) <= 60


def test_a_throttled_email_waits_even_with_the_right_password_and_others_do_not(
    client: Client, other: Client, stranger: Client
) -> None:
    for _ in range(5):
        stranger.sign_in(client.email, "wrong")
    expect.problem(stranger.sign_in(client.email), 429)
    assert stranger.sign_in(other.email).status_code == 200


def test_successful_sign_ins_are_not_counted(client: Client, connect: Connect) -> None:
    for _ in range(8):
        assert connect().sign_in(client.email).status_code == 200


@pytest.mark.local
def test_the_thirty_first_failure_of_an_address_is_told_to_wait(stranger: Client, anybody: Client) -> None:
    for _ in range(30):
        expect.problem(stranger.sign_in(new_email(), "wrong"), 401)
    response = stranger.sign_in(new_email(), "wrong")
    expect.problem(response, 429)
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert anybody.sign_in(new_email()).status_code == 200, "another address is not concerned"


def test_guessing_the_admin_password_is_told_to_wait(stranger: Client) -> None:
    body = {"email": new_email(), "password": PASSWORD, "admin_password": "wrong"}
    for _ in range(5):
        expect.problem(stranger.post("/admin", json=body), 401)
    response = stranger.post("/admin", json=body)
    expect.problem(response, 429)
    assert 1 <= int(response.headers["Retry-After"]) <= 60
