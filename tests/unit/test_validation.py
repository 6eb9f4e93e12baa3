"""The validation of path parameters and bodies returns the same errors and values as Powertools' own."""

import json
from typing import Annotated, Any
from uuid import UUID

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Body

from shared.http.api import Api, parse_object
from shared.http.validation import invalid_input
from shared.operations.requests import OperationCall
from shared.schemas.requests import NewApiKey, NewExport, Resumption, UserChange
from tests.support.lambda_event import event, problem

ID = "00000000-0000-0000-0000-000000000001"
DEFAULT = Resumption()

BODIES = [
    "",
    "null",
    "{}",
    '{"type": "addition", "arguments": [1.5, 2]}',
    '{"type": "addition", "arguments": [1, "2", true, null, [3]], "unknown": 1}',
    '{"type": 5, "arguments": 7}',
    '{"name": "n", "scopes": ["read", "read"], "spend_limit": 5, "expires_at": 7}',
    '{"name": "n", "spend_limit": {"amount": "x", "per": "year", "more": 1}}',
    '{"name": "", "scopes": [], "spend_limit": {"amount": 1e400, "per": "day"}}',
    '{"resource": "records", "filters": {"a": 1}, "fields": "id"}',
    '{"email": "x", "balance": -1, "role": null}',
    '{"email": " ADA@example.com ", "balance": 12.5}',
    '{"max_spend": 0}',
    '{"max_spend": 0.00001}',
    '{"max_spend": null}',
]


def call(id: UUID, body: OperationCall) -> Response[str]:
    return _received(id, body)


def key(id: UUID, body: NewApiKey) -> Response[str]:
    return _received(id, body)


def export(id: UUID, body: NewExport) -> Response[str]:
    return _received(id, body)


def change(id: UUID, body: UserChange) -> Response[str]:
    return _received(id, body)


def resume(id: UUID, body: Annotated[Resumption, Body()] = DEFAULT) -> Response[str]:
    return _received(id, body)


def _received(id: UUID, body: Any) -> Response[str]:
    return Response(200, "application/json", json.dumps([repr(id), body.model_dump_json()]))


@pytest.mark.parametrize("path", [f"/x/{ID}", f"/x/{ID.upper()}", "/x/7", "/x/%20", "/x/{}"])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("function", [call, key, export, change, resume])
def test_result_is_that_of_powertools(function: Any, body: str, path: str) -> None:
    own, theirs = Api(), APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=parse_object)
    theirs.exception_handler(RequestValidationError)(_as_problem)
    own.post("/x/<id>")(function)
    theirs.post("/x/<id>")(function)
    request = event("POST", path, body)
    if not body:
        request["headers"].pop("content-type")
    expected, response = theirs(dict(request), None), own(dict(request), None)
    assert response["statusCode"] == expected["statusCode"]
    if response["statusCode"] == 200:
        assert response["body"] == expected["body"]
    elif response["statusCode"] == 422:
        assert problem(response)["errors"] == json.loads(expected["body"])


def _as_problem(error: RequestValidationError) -> Response[str]:
    return Response(422, "application/json", json.dumps(invalid_input(error.errors()).errors))


def test_function_receives_nothing_but_what_it_declares() -> None:
    app = Api()

    @app.post("/x/<name>")
    def no_body(name: str) -> Response[str]:
        return Response(200, "text/plain", name)

    assert app(event("POST", "/x/a%20b", "{no JSON"), None)["body"] == "a%20b"
