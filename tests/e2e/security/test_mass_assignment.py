"""API3, broken object property level authorization: callers cannot set members that are not documented."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import OPERATIONS, Declared, resolved
from tests.support.http_client import API, PASSWORD, Client, new_email

# What each route answers a success with, by its media type.
ANSWERS: list[dict[str, Any]] = [
    content
    for route in OPERATIONS
    for status, answer in route.operation["responses"].items()
    for content in answer.get("content", {}).values()
    if status.startswith("2")
]


def members(schema: dict[str, Any]) -> set[str]:
    """The names in an answer of this schema, those of a list's elements included."""
    schema = resolved(schema)
    found = schema.get("properties", {})
    lists = [value["items"] for value in found.values() if value.get("type") == "array"]
    return set(found).union(*map(members, lists))


OURS = {name: "x" for answer in ANSWERS for name in members(answer["schema"])}
POWERS: dict[str, Any] = {
    **OURS,
    "role": "admin",
    "balance": 1_000_000,
    "is_admin": True,
    "password_hash": "x",
    "__proto__": {"role": "admin"},
    "_id": "x",
}
"""What an attacker would like to set: every member that we show, and some that others have."""


@pytest.fixture(scope="module")
def admin_caller(account: Callable[..., Client], connect: Connect) -> Client:
    """An admin, so that the member is what a refusal is about; by a key, which no logging out ends."""
    made = account(role="admin").post(f"{API}/api_keys", json={"name": "x"})
    return connect(bearer=made.json()["key"])


@at_risk(Risk.MEMBERS)
def test_a_member_that_is_not_offered_is_refused_or_left_unread(
    admin_caller: Client, route: Declared
) -> None:
    before = admin_caller.me
    for name in POWERS.keys() - route.fields.keys():
        if route.schema:
            body = {**route.body(), name: POWERS[name]}
            assert expect.pointers(send_request(admin_caller, route, json=body)) == [f"#/{name}"]
        elif "requestBody" in route.operation:
            form = {"files": {"file": b"x"}, "data": {name: str(POWERS[name])}}
            assert f"#/{name}" in expect.pointers(send_request(admin_caller, route, **form))
    if "requestBody" not in route.operation:
        assert send_request(admin_caller, route, json=POWERS).status_code in (200, 401, 404)
    assert admin_caller.me == before


@pytest.mark.parametrize("power", ["role", "balance", "is_admin"])
def test_nobody_signs_up_with_more_than_a_client_has(anybody: Client, stranger: Client, power: str) -> None:
    body = {"email": new_email(), "password": PASSWORD}
    expect.problem(stranger.post("/login", json={**body, power: POWERS[power]}), 422)
    assert anybody.sign_in(body["email"]).status_code == 200
    assert (anybody.me["role"], anybody.balance) == ("client", 20)


def test_a_client_cannot_change_their_own_role_or_balance(client: Client) -> None:
    for path in (f"{API}/users/{client.id}", f"{API}/users/me"):
        for change in ({"role": "admin"}, {"balance": 1_000_000}):
            expect.problem(client.patch(path, json=change), 403)
    assert (client.me["role"], client.balance) == ("client", 20)


def test_every_member_that_is_shown_is_tried() -> None:
    shown = set[str]()
    of_the_document = {"openapi"}
    for answer in ANSWERS:
        example = answer["example"]
        if isinstance(example, dict):
            lists = [value for value in example.values() if isinstance(value, list)]
            shown.update(example, *(row for rows in lists for row in rows if isinstance(row, dict)))
    assert {"cost", "user_balance", "deleted_at", "spent", "key", "records"} <= shown
    assert shown - of_the_document <= POWERS.keys()
