"""The client has a method for each route, which sends the documented request and parses the response."""

import inspect
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from restcalc import AsyncClient, Client, Rows
from restcalc.calls import SessionTokens
from tests.support.declared_routes import Declared, example
from tests.support.documented_client import (
    ELSEWHERE,
    OPERATION_IDS,
    instance,
    lists,
    method_name,
    parameters,
    parameters_of,
    responses,
)

COOKIES = [("Set-Cookie", f"{name}_token_cookie={name}; HttpOnly; Path=/") for name in ("access", "refresh")]
ID = example({"type": "string", "format": "uuid"})


@pytest.mark.parametrize("operation_id", OPERATION_IDS)
def test_every_route_has_a_method_with_its_parameters(operation_id: str) -> None:
    method = getattr(Client, method_name(operation_id))
    assert parameters_of(method) == parameters(OPERATION_IDS[operation_id])
    assert method.__doc__
    if lists(OPERATION_IDS[operation_id]):
        assert inspect.signature(method).parameters["filters"].kind is inspect.Parameter.VAR_KEYWORD
        assert parameters_of(Rows.page).keys() == {"number", "cursor"}


def test_both_clients_have_the_same_methods() -> None:
    assert signatures(Client) == signatures(AsyncClient)


def signatures(client: type[Any]) -> dict[str, Any]:
    names = [name for name in dir(client) if not name.startswith("_")]
    return {name: inspect.signature(getattr(client, name)).parameters for name in names}


@pytest.mark.parametrize("operation_id", OPERATION_IDS)
def test_method_sends_the_documented_request_and_parses_the_response(
    stub: Callable[..., Client], operation_id: str
) -> None:
    operation, requests = OPERATION_IDS[operation_id], list[httpx.Request]()

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return example_response(operation)

    client = stub(respond)
    client._session = SessionTokens("access", "refresh")
    returned = getattr(client, method_name(operation_id))(**arguments(operation))
    if lists(operation):
        assert len(list(returned)) == 1
    assert getattr(returned, "replayed", False) == ("Idempotency-Key" in documented_parameters(operation))
    (request,) = requests
    assert (request.method, request.url.path) == (operation.method, operation.concrete(ID))
    documented = documented_parameters(operation)
    assert request.url.params.keys() <= documented
    assert ("Idempotency-Key" in request.headers) == ("Idempotency-Key" in documented)
    if operation.schema is not None:
        assert json.loads(request.content) == body(operation)
    if operation.needs_sign_in:
        assert request.headers["Authorization"] == "Bearer access"


def documented_parameters(operation: Declared) -> set[str]:
    return {parameter["name"] for parameter in operation.operation.get("parameters", [])}


def body(operation: Declared) -> dict[str, Any]:
    """Return a body with all members that the client sends."""
    return {name: value for name, value in operation.body().items() if name not in ELSEWHERE}


def arguments(operation: Declared) -> dict[str, Any]:
    """Return arguments for all parameters of a method, except options of lists and the idempotency key."""
    if operation.operation["operationId"] == "processCsv":
        return {"content": b"operation,arguments\n"}
    values = dict(body(operation)) if operation.schema is not None else {}
    for name, required in parameters(operation).items():
        if required and name not in values:
            values[name] = ID
    for name in parameters(operation).keys() & {"from_", "to"}:
        values[name] = "2126-11-23T07:00:00Z"
    return {name: parsed(value) for name, value in values.items()}


def parsed(value: Any) -> Any:
    """Return a time for the text of one."""
    is_time = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", value)
    return datetime.fromisoformat(value) if is_time else value


def example_response(operation: Declared) -> httpx.Response:
    """Return the documented success with all members of its schema, as a replay if there can be one.

    It also has the cookies of a sign-in.
    """
    status, media_type, schema = next(responses(operation))
    if media_type == "application/json":
        replayed = [("Idempotent-Replayed", "true")] * ("Idempotency-Key" in documented_parameters(operation))
        return httpx.Response(status, json=instance(schema), headers=COOKIES + replayed)
    return httpx.Response(status, text="content" if media_type else "")
