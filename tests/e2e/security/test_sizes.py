"""API4, unrestricted resource consumption: too large input is rejected or not read."""

from collections.abc import Callable, Iterator

import pytest

from tests.support import expect
from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import LISTS, Declared
from tests.support.http_client import BearerClient, Client

LARGE_JSON = b'{"x": "' + b"x" * 300_000 + b'"}'
LARGE_FILE = b"x" * (4 * 1024 * 1024 + 1)
LONG = "x" * 3000
"""API Gateway accepts this many characters in a path, a query or a header. No valid value is as long."""


@pytest.fixture(scope="module")
def caller(account: Callable[..., Client], url: str) -> Iterator[Client]:
    """An admin, so that no route returns 403."""
    caller = BearerClient(url, account(role="admin").email)
    yield caller
    caller.close()


@at_risk(Risk.SIZES)
def test_too_large_body_returns_413_or_is_ignored(caller: Client, route: Declared) -> None:
    if route.schema:
        headers = {"Content-Type": "application/json"}
        response = caller.request(route.method, route.concrete(), content=LARGE_JSON, headers=headers)
        expect.problem(response, 413)
    elif "requestBody" in route.operation:
        expect.problem(caller.post(route.path, files={"file": LARGE_FILE}), 413)
    else:
        response = caller.request(route.method, route.concrete(), content=LARGE_JSON)
        assert response.status_code in (200, 401, 404), response.text


@at_risk(Risk.SIZES)
def test_too_long_id_query_or_header_causes_no_server_error(caller: Client, route: Declared) -> None:
    if route.has_parameter:
        response = send_request(caller, route, LONG)
        assert response.status_code in (404, 422)
        expect.any_problem(response)
    responses = [
        send_request(caller, route, params={"x": LONG}),
        send_request(caller, route, params={f"x{n}": "1" for n in range(300)}),
        send_request(caller, route, headers={"X-CSRF-TOKEN": LONG, "Origin": LONG}),
        send_request(caller, route, headers={"Authorization": f"Bearer {LONG}"}),
        send_request(caller, route, headers={"Cookie": f"access_token_cookie={LONG}"}),
    ]
    assert all(response.status_code < 500 for response in responses)
    if route in LISTS:
        expect.problem(responses[0], 422)
        expect.problem(responses[1], 422)
    if route.needs_sign_in:
        expect.problem(responses[3], 401)


@at_risk(Risk.SIZES)
def test_text_or_list_longer_than_documented_returns_422(caller: Client, route: Declared) -> None:
    for name, schema in route.fields.items():
        if "maxLength" in schema:
            body = {**route.body(), name: "x" * (schema["maxLength"] + 1)}
            assert expect.pointers(send_request(caller, route, json=body)) == [f"#/{name}"]
        if "maxItems" in schema:
            body = {**route.body(), name: [1] * (schema["maxItems"] + 1)}
            assert expect.pointers(send_request(caller, route, json=body)) == [f"#/{name}"]


@at_risk(Risk.SIZES)
def test_every_text_and_list_of_a_request_has_a_limit(route: Declared) -> None:
    for name, schema in route.fields.items():
        bounded = schema.keys() & {"maxLength", "enum", "format"}
        assert schema.get("type") != "string" or bounded, (str(route), name)
        assert schema.get("type") != "array" or "maxItems" in schema, (str(route), name)


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_page_of_more_than_100_rows_returns_422(caller: Client, route: Declared) -> None:
    expect.problem(caller.get(route.path, params={"page_size": 101}), 422)
