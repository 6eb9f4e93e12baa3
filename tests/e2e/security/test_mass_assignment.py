"""API3, broken object property level authorization: callers cannot set undocumented members."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import expect
from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import OPERATIONS, Declared, resolved
from tests.support.http_client import API, PASSWORD, BearerClient, Client, new_email

# The documented success responses of all routes.
RESPONSES: list[dict[str, Any]] = [
    content
    for route in OPERATIONS
    for status, response in route.operation["responses"].items()
    for content in response.get("content", {}).values()
    if status.startswith("2")
]


def members(schema: dict[str, Any]) -> set[str]:
    """Return the names in a response of this schema, including those of list elements."""
    schema = resolved(schema)
    found = schema.get("properties", {})
    lists = [value["items"] for value in found.values() if value.get("type") == "array"]
    return set(found).union(*map(members, lists))


RESPONSE_MEMBERS = {name: "x" for response in RESPONSES for name in members(response["schema"])}
EXTRA_MEMBERS: dict[str, Any] = {
    **RESPONSE_MEMBERS,
    "role": "admin",
    "balance": 1_000_000,
    "is_admin": True,
    "password_hash": "x",
    "__proto__": {"role": "admin"},
    "_id": "x",
}
"""Members that an attacker may try to set: all that responses contain, and some common names."""


@pytest.fixture(scope="module")
def admin_caller(account: Callable[..., Client], url: str) -> Iterator[Client]:
    """An admin, so that only the member can be rejected."""
    caller = BearerClient(url, account(role="admin").email)
    yield caller
    caller.close()


@at_risk(Risk.MEMBERS)
def test_undocumented_member_is_rejected_or_ignored(admin_caller: Client, route: Declared) -> None:
    before = admin_caller.me
    for name in EXTRA_MEMBERS.keys() - route.fields.keys():
        if route.schema:
            body = {**route.body(), name: EXTRA_MEMBERS[name]}
            assert expect.pointers(send_request(admin_caller, route, json=body)) == [f"#/{name}"]
        elif "requestBody" in route.operation:
            form = {"files": {"file": b"x"}, "data": {name: str(EXTRA_MEMBERS[name])}}
            assert f"#/{name}" in expect.pointers(send_request(admin_caller, route, **form))
    if "requestBody" not in route.operation:
        assert send_request(admin_caller, route, json=EXTRA_MEMBERS).status_code in (200, 401, 404)
    assert admin_caller.me == before


@pytest.mark.parametrize("member", ["role", "balance", "is_admin"])
def test_sign_up_cannot_set_role_or_balance(anonymous: Client, isolated_client: Client, member: str) -> None:
    body = {"email": new_email(), "password": PASSWORD}
    expect.problem(isolated_client.post("/login", json={**body, member: EXTRA_MEMBERS[member]}), 422)
    assert anonymous.sign_in(body["email"]).status_code == 200
    assert (anonymous.me["role"], anonymous.balance) == ("client", 20)


def test_client_cannot_change_their_own_role_or_balance(client: Client) -> None:
    for change in ({"role": "admin"}, {"balance": 1_000_000}):
        expect.problem(client.patch(f"{API}/users/{client.id}", json=change), 403)
        expect.problem(client.patch(f"{API}/users/me", json=change), 422)
    assert (client.me["role"], client.balance) == ("client", 20)


def test_every_member_of_a_response_is_among_the_tried_ones() -> None:
    shown = set[str]()
    document_members = {"openapi"}
    for response in RESPONSES:
        example = response["example"]
        if isinstance(example, dict):
            lists = [value for value in example.values() if isinstance(value, list)]
            shown.update(example, *(row for rows in lists for row in rows if isinstance(row, dict)))
    assert {"cost", "user_balance", "deleted_at", "spent", "key", "records"} <= shown
    assert shown - document_members <= EXTRA_MEMBERS.keys()
