"""The API wrapper that all endpoints share: request checks, response headers, and errors as problems."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
)
from pydantic import BaseModel, ConfigDict

from shared import errors
from shared.errors import DomainError, InvalidInput
from shared.http.api import Access, Api
from shared.http.problems import PROBLEMS
from shared.http.responses import done
from shared.operations.requests import OperationCall
from shared.schemas.requests import Refund
from tests.support.lambda_event import event, operation_endpoint, problem

STATUSES = {
    "error": 500,
    "malformed-request": 400,
    "not-signed-in": 401,
    "wrong-credentials": 401,
    "insufficient-credit": 402,
    "spend-limit-reached": 402,
    "forbidden": 403,
    "insufficient-scope": 403,
    "csrf-mismatch": 403,
    "account-inactive": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "conflict": 409,
    "payload-too-large": 413,
    "unsupported-media-type": 415,
    "invalid-input": 422,
    "idempotency-key-reused": 422,
    "too-many-requests": 429,
    "internal-error": 500,
    "service-unavailable": 503,
}
"""The status code of each problem type, as docs/contract.md lists them."""
KINDS = [DomainError, *DomainError.__subclasses__()]


def api_raising(error: BaseException) -> Api:
    app = Api()

    @app.get("/")
    def fail() -> Response[str]:
        raise error

    return app


@pytest.mark.parametrize("kind", KINDS)
def test_api_returns_a_problem_with_slug_and_status_for_each_error(kind: type[DomainError]) -> None:
    body = problem(api_raising(kind("what is wrong"))(event(), None))
    assert body["type"] == f"/problems/{PROBLEMS[kind].slug}"
    assert body["status"] == STATUSES[PROBLEMS[kind].slug]
    assert body["title"] == PROBLEMS[kind].title
    assert not body["title"].endswith(".")
    assert "errors" not in body


def test_errors_have_distinct_slugs() -> None:
    assert sorted(PROBLEMS[kind].slug for kind in KINDS) == sorted(STATUSES)


def test_problem_contains_detail_extensions_headers_and_faults() -> None:
    error = errors.InsufficientCredit(
        "This costs 5.",
        balance=Decimal("12345678901234.5678"),
        cost=Decimal("99999999999999.9999"),
        retry_after=7,
    )
    response = api_raising(error)(event(), None)
    body = problem(response)
    assert body["detail"] == "This costs 5."
    assert '"balance" : 12345678901234.5678, "cost" : 99999999999999.9999}' in response["body"]
    assert response["headers"]["Retry-After"] == "7"
    fault = {"pointer": "#/arguments/0", "detail": "Wrong."}
    assert problem(api_raising(InvalidInput.at(**fault))(event(), None))["errors"] == [fault]


@pytest.mark.parametrize(
    "error", [RuntimeError("SELECT secret"), errors.InternalError("SELECT secret"), KeyError("secret")]
)
def test_api_hides_the_cause_of_an_internal_error(error: Exception) -> None:
    response = api_raising(error)(event(), None)
    body = problem(response)
    assert body["status"] == 500
    assert "secret" not in response["body"]
    assert "Traceback" not in response["body"]


def test_unknown_path_returns_404_problem() -> None:
    assert problem(api_raising(ValueError())(event(path="/nowhere"), None))["status"] == 404


@pytest.mark.parametrize("status", ["good", "bad"])
def test_every_response_has_the_headers_of_the_contract(status: str) -> None:
    app, _ = operation_endpoint()
    response = app(event("POST", body='{"type": "addition"}' if status == "good" else "{"), None)
    headers = {name.lower(): value for name, value in response["headers"].items()}
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-request-id"] == "request-7"


def test_response_can_override_cache_control() -> None:
    app = Api()

    @app.get("/")
    def page() -> Response[str]:
        return Response(200, "text/html", "hello", {"Cache-Control": "public"})

    assert app(event(), None)["headers"]["Cache-Control"] == "public"


@pytest.mark.parametrize("access", [Access.SIGNED_IN, Access.ADMIN, Access.CHARGED])
def test_api_rejects_unauthenticated_caller_before_reading_the_body(access: Access) -> None:
    app = Api(access=access)

    @app.post("/")
    def call(body: OperationCall) -> Response[str]:
        raise AssertionError("the handler ran without a caller")

    assert problem(app(event("POST", body="{"), None))["status"] == 401


@pytest.mark.parametrize("path", ["/x/7", "/x/%00", "/x/00000000-0000-0000-0000-00000000000g", "/x/\x00"])
def test_invalid_uuid_in_path_returns_422_with_its_pointer(path: str) -> None:
    app = Api()

    @app.get("/x/<id>")
    def get(id: UUID) -> Response[str]:
        raise AssertionError("no such id")

    body = problem(app(event(path=path), None))
    assert body["status"] in (404, 422)
    if body["status"] == 422:
        assert [fault["pointer"] for fault in body["errors"]] == ["#/path/id"]


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        ("", "String should have at least 1 character"),
        ("x" * 501, "String should have at most 500 characters"),
    ],
)
def test_wrong_length_of_a_string_is_given_in_characters(reason: str, detail: str) -> None:
    app = Api()

    @app.post("/")
    def refund(body: Refund) -> Response[str]:
        raise AssertionError("the reason is invalid")

    body = problem(app(event("POST", body=json.dumps({"reason": reason})), None))
    assert body["errors"] == [{"pointer": "#/reason", "detail": detail}]


@pytest.mark.parametrize("key", ["x", "k" * 255, "a b~!"])
def test_api_accepts_idempotency_key_of_1_to_255_printable_characters(key: str) -> None:
    assert call_with_key(key)["statusCode"] == 200


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "é", "\x7f"])
def test_invalid_idempotency_key_returns_422_with_its_pointer(key: str) -> None:
    body = problem(call_with_key(key))
    assert (body["status"], body["errors"][0]["pointer"]) == (422, "#/headers/Idempotency-Key")


def call_with_key(key: str) -> dict[str, Any]:
    app = Api(idempotent=True)

    @app.get("/")
    def get() -> Response[str]:
        assert app.idempotency_key == key
        return done("Got it.")

    return app(event(headers={"idempotency-key": key}), None)


def test_powertools_skips_the_validation_of_a_function_without_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without, validated, handler = Api(), Api(), OpenAPIRequestValidationMiddleware.handler
    apps = list[Api]()

    def record(middleware: OpenAPIRequestValidationMiddleware, app: Any, next_middleware: Any) -> Any:
        apps.append(app)
        return handler(middleware, app, next_middleware)

    @without.get("/")
    def get() -> Response[str]:
        return done("Got it.")

    @validated.post("/")
    def post(body: Refund) -> Response[str]:
        return done("Refunded.")

    monkeypatch.setattr(OpenAPIRequestValidationMiddleware, "handler", record)
    assert without(event(), None)["statusCode"] == 200
    assert validated(event("POST", "/", '{"reason": "a mistake"}'), None)["statusCode"] == 200
    assert apps == [validated]


def test_response_that_breaks_its_schema_returns_500() -> None:
    class Promise(BaseModel):
        model_config = ConfigDict(extra="forbid")
        number: int

    app = Api()

    @app.get("/")
    def broken() -> Promise:
        return {"number": "no number"}  # type: ignore[return-value]

    assert problem(app(event(), None))["status"] == 500
