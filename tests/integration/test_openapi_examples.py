"""Every status that the contract names is documented; every body and refusal has an example that holds."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import BaseModel

from docs.examples import BODIES, REFUSALS
from shared.errors import DomainError
from shared.http.problems import PROBLEMS, problem_of
from shared.schemas import requests, responses
from tests.integration.test_routes import document, operations, subclasses
from tests.support import contract

OF_NO_ROUTE = {405, 431}
"""The statuses of no route: a path's wrong method, and headers that API Gateway refuses as too large."""
MODELS = {
    model.__name__: model for model in (*subclasses(requests.Request), *subclasses(responses.ResponseBody))
}


def contracts_statuses() -> set[int]:
    """Every number in the contract that is the status of an answer."""
    numbers = re.findall(r"\b[2-5]\d\d\b", contract.PATH.read_text("utf-8"))
    return {int(number) for number in numbers} & {status.value for status in HTTPStatus}


def answers() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Route, status and answer, of every answer in the document, its reference followed."""
    shared = document()["components"]["responses"]
    for (method, path), operation in operations().items():
        for status, answer in operation["responses"].items():
            name = answer.get("$ref", "").rpartition("/")[2]
            yield f"{method} {path}", int(status), shared[name] if name else answer


def test_every_status_that_the_contract_names_is_documented() -> None:
    named = contracts_statuses()
    assert len(named) >= 16, "a reader that finds nothing would agree with everything"
    assert named - {status for _, status, _ in answers()} == OF_NO_ROUTE
    assert "MethodNotAllowed" in document()["components"]["responses"]


def test_every_answer_of_every_route_has_its_example() -> None:
    for route, status, answer in answers():
        for content in answer.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            has_example = "example" in content or content.get("examples")
            assert has_example, f"{route} {status}: add an example of {name} to BODIES in docs/examples.py"
        for name, header in answer.get("headers", {}).items():
            has_example = "example" in header
            assert has_example, f"{route} {status}: add an example of {name} to HEADERS in docs/examples.py"


def test_every_body_that_is_sent_has_its_example() -> None:
    for route, operation in operations().items():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            has_example = media_type == "multipart/form-data" or "example" in content
            assert has_example, f"{route}: add an example of its body to BODIES in docs/examples.py"


@pytest.mark.parametrize("name", BODIES)
def test_an_example_is_what_its_model_takes_and_has_no_other_member(name: str) -> None:
    model: type[BaseModel] = MODELS[name]
    model.model_validate(BODIES[name])
    assert BODIES[name].keys() <= model.model_fields.keys()


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: problem_of(refusal).slug)
def test_the_example_of_a_refusal_stands_under_its_status(refusal: DomainError) -> None:
    (example,) = (
        answer["content"]["application/problem+json"]["examples"][problem_of(refusal).slug]["value"]
        for answer in document()["components"]["responses"].values()
        if problem_of(refusal).slug in answer["content"]["application/problem+json"]["examples"]
    )
    responses.Problem.model_validate(example)
    assert example["status"] == problem_of(refusal).status
    assert example["detail"]


def test_every_error_that_a_caller_can_see_has_its_example() -> None:
    shown = {problem_of(refusal).slug for refusal in REFUSALS}
    assert {PROBLEMS[kind].slug for kind in subclasses_of_errors(DomainError)} - {"error"} == shown


def subclasses_of_errors(kind: type[DomainError]) -> set[type[DomainError]]:
    return {kind, *(found for child in kind.__subclasses__() for found in subclasses_of_errors(child))}
