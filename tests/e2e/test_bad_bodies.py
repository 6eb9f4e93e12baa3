"""Invalid bodies for every route with a JSON body: a 4xx problem, no 500, and no charge."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.bad_bodies import MALFORMED, NOT_OBJECTS, unstorable, wrong_values
from tests.support.declared_routes import WITH_JSON, Declared
from tests.support.http_client import API, Client

JSON = {"Content-Type": "application/json"}
REQUIRED = [(route, name) for route in WITH_JSON for name in (route.schema or {}).get("required", [])]
FIELDS = [(route, name) for route in WITH_JSON for name in route.fields]
ANY_JSON = [(route, name) for route, name in FIELDS if "type" not in route.fields[name]]

every_route = pytest.mark.parametrize("route", WITH_JSON, ids=str)


@pytest.fixture(scope="module")
def caller(account: Callable[..., Client], connect: Connect) -> Client:
    """An admin, so that no route returns 403."""
    return connect(bearer=account(role="admin").access_token)


@pytest.fixture(autouse=True)
def _account_is_unchanged(caller: Client) -> Iterator[None]:
    before = caller.me
    yield
    assert caller.me == before


def send(caller: Client, route: Declared, body: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return caller.request(route.method, route.concrete(), content=content, headers=JSON)


def test_matrix_contains_the_routes_with_a_json_body() -> None:
    assert {str(route) for route in WITH_JSON} >= {"POST /login", f"POST {API}/process_operation"}
    assert len(WITH_JSON) >= 12
    assert len(FIELDS) >= 30


@every_route
def test_malformed_json_returns_400(caller: Client, route: Declared) -> None:
    for name, content in MALFORMED.items():
        response = send(caller, route, content)
        assert response.status_code == 400, f"{name}: {response.status_code} {response.text[:300]}"
        expect.problem(response, 400)


@every_route
def test_json_that_is_not_an_object_returns_422(caller: Client, route: Declared) -> None:
    # An empty value counts as no body.
    for body in NOT_OBJECTS if route.needs_body else filter(None, NOT_OBJECTS):
        expect.problem(send(caller, route, body), 422)


@pytest.mark.parametrize("route", [route for route in WITH_JSON if route.needs_body], ids=str)
def test_missing_body_returns_422(caller: Client, route: Declared) -> None:
    expect.problem(send(caller, route, b""), 422)
    expect.problem(caller.request(route.method, route.concrete()), 422)


@every_route
def test_unknown_field_returns_422_with_its_pointer(caller: Client, route: Declared) -> None:
    assert expect.pointers(send(caller, route, {**route.body(), "nonsense": 1})) == ["#/nonsense"]
    strange = {**route.body(), "a/b~c\0\ud800": 1}
    assert send(caller, route, strange).status_code in (400, 422)


@pytest.mark.parametrize(("route", "name"), REQUIRED, ids=str)
def test_missing_field_returns_422_with_its_pointer(caller: Client, route: Declared, name: str) -> None:
    body = route.body()
    del body[name]
    assert expect.pointers(send(caller, route, body)) == [f"#/{name}"]


@pytest.mark.parametrize(("route", "name"), FIELDS, ids=str)
def test_invalid_value_returns_422_with_its_pointer(caller: Client, route: Declared, name: str) -> None:
    for wrong in wrong_values(route.fields[name]):
        response = send(caller, route, {**route.body(), name: wrong})
        pointers = expect.pointers(response)
        assert all(pointer.startswith(f"#/{name}") for pointer in pointers), (wrong, response.text)


@pytest.mark.parametrize(("route", "name"), ANY_JSON, ids=str)
def test_json_that_cannot_be_stored_returns_422(caller: Client, route: Declared, name: str) -> None:
    for bad in unstorable("x"):
        expect.problem(send(caller, route, {**route.body(), name: bad}), 422)


@pytest.mark.parametrize(("route", "name"), ANY_JSON, ids=str)
@pytest.mark.parametrize("depth", [100, 300, 450, 600, 800, 900, 950, 990])
def test_deeply_nested_json_is_rejected(caller: Client, route: Declared, name: str, depth: int) -> None:
    # No user has the ids in the body, so it is rejected at any depth.
    body = json.dumps({**route.body(), name: "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)
    expect.any_problem(send(caller, route, body.encode()))


@every_route
def test_repeated_field_causes_no_server_error(caller: Client, route: Declared) -> None:
    (name, *_) = route.fields
    expect.any_problem(send(caller, route, f'{{"{name}": [], "{name}": {{}}}}'.encode()))


@every_route
def test_body_of_300_kb_returns_413(caller: Client, route: Declared) -> None:
    expect.problem(send(caller, route, {**route.body(), "x": "x" * 300_000}), 413)
    expect.problem(send(caller, route, b" " * 300_000), 413)


@pytest.mark.local
@every_route
def test_body_of_10_mb_returns_413(caller: Client, route: Declared) -> None:
    # The gateway sends this error, not the function, and closes the connection without reading the rest.
    headers = {**JSON, "Connection": "close"}
    for size in (9_999_999, 10 * 1024 * 1024):
        response = caller.request(route.method, route.concrete(), content=b"x" * size, headers=headers)
        assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})


@every_route
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "x"]
)
def test_unsupported_media_type_returns_415(caller: Client, route: Declared, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    body = json.dumps(route.body())
    expect.problem(caller.request(route.method, route.concrete(), content=body, headers=headers), 415)


@every_route
def test_multipart_form_returns_415(caller: Client, route: Declared) -> None:
    response = caller.request(route.method, route.concrete(), files={"file": b"x"})
    expect.problem(response, 415)


@every_route
def test_media_type_ignores_case_and_charset(caller: Client, route: Declared) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = caller.request(route.method, route.concrete(), content=b"{", headers=headers)
    expect.problem(response, 400)
