"""The OpenAPI document has every status of the contract, and a valid example for every body and error."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import BaseModel

import shared.operations.requests  # noqa: F401 (its models are subclasses of Request too)
from docs.examples import BODIES, ERRORS, complete
from shared.errors import DomainError, InsufficientCredit
from shared.http import problems
from shared.http.problems import PROBLEMS, problem_of
from shared.schemas import requests, responses
from tests.integration.test_routes import document, operations, subclasses
from tests.support import contract

STATUSES_WITHOUT_ROUTE = {405, 410, 431}
"""Statuses that no route declares: a wrong method, a response of a webhook's receiver, and headers that API
Gateway rejects as too large."""
MODELS = {
    model.__name__: model for model in (*subclasses(requests.Request), *subclasses(responses.ResponseBody))
}


def statuses_in_contract() -> set[int]:
    """Return every number in the contract that is an HTTP status."""
    numbers = re.findall(r"\b[2-5]\d\d\b", contract.PATH.read_text("utf-8"))
    return {int(number) for number in numbers} & {status.value for status in HTTPStatus}


def documented_responses() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield route, status and resolved response for every response in the document."""
    shared = document()["components"]["responses"]
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            name = response.get("$ref", "").rpartition("/")[2]
            yield f"{method} {path}", int(status), shared[name] if name else response


def test_document_has_every_status_of_the_contract() -> None:
    named = statuses_in_contract()
    assert len(named) >= 16, "too few statuses: the pattern no longer matches the contract"
    assert named - {status for _, status, _ in documented_responses()} == STATUSES_WITHOUT_ROUTE
    assert "MethodNotAllowed" in document()["components"]["responses"]


def test_every_response_of_every_route_has_an_example() -> None:
    for route, status, response in documented_responses():
        for content in response.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            has_example = "example" in content or content.get("examples")
            assert has_example, f"{route} {status}: add an example of {name} to BODIES in docs/examples.py"
        for name, header in response.get("headers", {}).items():
            has_example = "example" in header
            assert has_example, f"{route} {status}: add an example of {name} to HEADERS in docs/examples.py"


def test_location_example_of_a_created_object_is_the_path_of_the_example_body() -> None:
    paths = {path for method, path in operations() if method == "GET"}
    created = 0
    for route, status, response in documented_responses():
        location = response.get("headers", {}).get("Location", {}).get("example")
        if location is not None and status != 303:
            body = response["content"]["application/json"]["example"]
            collection, _, name = location.rpartition("/")
            assert name == body["id"], route
            assert f"{collection}/{{id}}" in paths or f"{collection}/{{task_id}}" in paths, route
            created += 1
    assert created > 5


def test_every_request_body_has_an_example() -> None:
    for route, operation in operations().items():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            has_example = media_type == "multipart/form-data" or "example" in content
            assert has_example, f"{route}: add an example of its body to BODIES in docs/examples.py"


@pytest.mark.parametrize("name", BODIES)
def test_example_is_valid_and_has_only_fields_of_its_model(name: str) -> None:
    model: type[BaseModel] = MODELS[name]
    model.model_validate(BODIES[name])
    assert BODIES[name].keys() <= {field.alias or key for key, field in model.model_fields.items()}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: problem_of(error).slug)
def test_example_of_an_error_has_its_status(error: DomainError) -> None:
    (example,) = (
        response["content"]["application/problem+json"]["examples"][problem_of(error).slug]["value"]
        for response in document()["components"]["responses"].values()
        if problem_of(error).slug in response["content"]["application/problem+json"]["examples"]
    )
    model = {402: responses.CreditProblem, 422: responses.InputProblem}.get(
        problem_of(error).status, responses.Problem
    )
    assert example.keys() <= model.model_fields.keys()
    model.model_validate(example)
    assert example["status"] == problem_of(error).status
    assert example["detail"]


def test_every_error_has_an_example() -> None:
    shown = {problem_of(error).slug for error in ERRORS}
    assert {PROBLEMS[kind].slug for kind in subclasses_of_errors(DomainError)} - {"error"} == shown


def test_error_without_a_written_example_has_one_with_its_title() -> None:
    written = InsufficientCredit("The balance is 3.")
    errors = complete([written])
    statuses = [problem_of(error).status for error in errors]
    assert statuses == sorted(statuses)
    assert written in errors
    (unwritten,) = (error for error in errors if problem_of(error).slug == "not-found")
    assert problems.body(unwritten, "1")["detail"] == "The resource does not exist"


def subclasses_of_errors(kind: type[DomainError]) -> set[type[DomainError]]:
    return {kind, *(found for child in kind.__subclasses__() for found in subclasses_of_errors(child))}
