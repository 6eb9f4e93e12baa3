"""API5 for API keys: the scope that each route requires."""

import re

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.access_matrix import FOR_ADMINS, Risk, at_risk, send_request
from tests.support.declared_routes import SIGNED_IN, Declared
from tests.support.http_client import API, Client

SCOPES = ("read", "compute", "batch", "admin")
COMPUTE = {"POST /api/v1/process_operation"}
BATCH = re.compile(r"POST /api/v1/(process_csv|(tasks|exports)(/.*)?)$")
SESSION_ONLY = {
    "GET /refresh",
    "POST /api/v1/api_keys",
    "DELETE /api/v1/sessions/{id}",
    "POST /api/v1/users/me/password",
    "PATCH /api/v1/users/me",
    "POST /api/v1/webhooks",
    "PATCH /api/v1/webhooks/{id}",
    "DELETE /api/v1/webhooks/{id}",
    "POST /api/v1/webhooks/{id}/rotate_secret",
    "POST /api/v1/webhooks/{id}/test",
    "POST /api/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver",
}
"""Routes that accept no API key. With those that change something, a stolen key could outlive its limit and
its revocation; the CSRF token is of no use to a key."""
OWN_KEY = {"DELETE /api/v1/api_keys/{id}"}
"""Routes that accept an API key of any scopes, but only for itself."""


def scope_of(route: Declared) -> str | None:
    """Return the scope that a route must require, or None if no scope allows it."""
    if str(route) in FOR_ADMINS:
        return "admin"
    if str(route) in SESSION_ONLY | OWN_KEY:
        return None
    if route.method == "GET":
        return "read"
    if str(route) in COMPUTE:
        return "compute"
    assert BATCH.match(str(route)), (
        f"{route}: declare scope='batch' in its function, or Access.SESSION and add it to SESSION_ONLY."
    )
    return "batch"


@pytest.fixture(scope="module")
def programs(admin: Client, connect: Connect) -> dict[str, Client]:
    """A program for each scope, whose API key has only this scope."""
    found = {}
    for scope in SCOPES:
        created = admin.post(f"{API}/api_keys", json={"name": scope, "scopes": [scope]})
        assert created.status_code == 201, created.text
        found[scope] = connect(bearer=created.json()["key"])
    return found


@pytest.mark.parametrize("scope", SCOPES)
@at_risk(Risk.SCOPES)
def test_key_is_accepted_exactly_on_the_routes_of_its_scope(
    programs: dict[str, Client], route: Declared, scope: str
) -> None:
    required = scope_of(route)
    # An empty body, so that no accepted request changes anything.
    body = {"json": {}} if route.schema else {}
    response = programs[scope].request(route.method, route.concrete(), **body)
    if scope == required:
        assert response.status_code not in (401, 403), response.text
        return
    problem = expect.problem(response, 403)
    assert problem["type"] == "/problems/insufficient-scope"
    assert _rule(route, required, "scope '{}'", "accepts no API key", "only to itself") in problem["detail"]


@pytest.mark.parametrize("route", SIGNED_IN, ids=str)
def test_document_states_the_scope(route: Declared) -> None:
    description = route.operation["description"]
    own_key = "An API key needs no scope, and is accepted only for itself."
    scope = "An API key needs the scope `{}`."
    assert description.endswith(_rule(route, scope_of(route), scope, "API keys are not accepted.", own_key))


def _rule(route: Declared, scope: str | None, scoped: str, no_key: str, own_key: str) -> str:
    """Choose the text for a route: that of its scope, of no API key, or of its own API key."""
    if str(route) in OWN_KEY:
        return own_key
    return scoped.format(scope) if scope else no_key


@pytest.mark.parametrize("route", [route for route in SIGNED_IN if str(route) in FOR_ADMINS], ids=str)
def test_default_key_of_an_admin_is_rejected_on_admin_routes(
    default_program: Client, route: Declared
) -> None:
    problem = expect.problem(send_request(default_program, route), 403)
    assert problem["type"] == "/problems/insufficient-scope"


@pytest.fixture(scope="module")
def default_program(admin: Client, connect: Connect) -> Client:
    """A program with an admin's key of the default scopes."""
    return connect(bearer=admin.post(f"{API}/api_keys", json={"name": "default"}).json()["key"])


def test_key_of_an_admin_reads_only_their_own_rows_without_the_admin_scope(
    admin: Client, default_program: Client, client: Client, connect: Connect
) -> None:
    assert client.compute().status_code == 200
    body = {"name": "reader", "scopes": ["read", "admin"]}
    reader = connect(bearer=admin.post(f"{API}/api_keys", json=body).json()["key"])
    (record,) = client.rows("records")
    path = f"{API}/records/{record['id']}"
    assert reader.get(path).status_code == 200
    expect.problem(default_program.get(path), 404)
    assert default_program.rows("records", user_id=client.id) == []
