"""What every endpoint's handler does with a request before, and with an error after."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict

from shared import errors
from shared.errors import DomainError, InvalidInput
from shared.http.api import Access, Api
from shared.http.problems import PROBLEMS
from shared.http.responses import done
from shared.schemas.requests import OperationCall
from tests.support.lambda_event import calling, event, problem

STATUSES = {
    "error": 500,
    "malformed-request": 400,
    "not-signed-in": 401,
    "wrong-credentials": 401,
    "insufficient-credit": 402,
    "forbidden": 403,
    "csrf-mismatch": 403,
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
"""The contract's: which problem has which status."""
KINDS = [DomainError, *DomainError.__subclasses__()]


def raising(error: BaseException) -> Api:
    app = Api()

    @app.get("/")
    def fail() -> Response[str]:
        raise error

    return app


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_a_problem_with_its_slug_and_status(kind: type[DomainError]) -> None:
    said = problem(raising(kind("what is wrong"))(event(), None))
    assert said["type"] == f"/problems/{PROBLEMS[kind].slug}"
    assert said["status"] == STATUSES[PROBLEMS[kind].slug]
    assert said["title"] == PROBLEMS[kind].title
    assert not said["title"].endswith(".")
    assert "errors" not in said


def test_no_two_errors_share_a_slug() -> None:
    assert sorted(PROBLEMS[kind].slug for kind in KINDS) == sorted(STATUSES)


def test_a_problem_tells_its_detail_extensions_headers_and_faults() -> None:
    error = errors.InsufficientCredit(
        "This costs 5.",
        balance=Decimal("12345678901234.5678"),
        cost=Decimal("99999999999999.9999"),
        retry_after=7,
    )
    answer = raising(error)(event(), None)
    said = problem(answer)
    assert said["detail"] == "This costs 5."
    assert '"balance": 12345678901234.5678, "cost": 99999999999999.9999}' in answer["body"]
    assert answer["headers"]["Retry-After"] == "7"
    fault = {"pointer": "#/arguments/0", "detail": "Wrong."}
    assert problem(raising(InvalidInput.at(**fault))(event(), None))["errors"] == [fault]


@pytest.mark.parametrize(
    "error", [RuntimeError("SELECT secret"), errors.InternalError("SELECT secret"), KeyError("secret")]
)
def test_what_went_wrong_inside_stays_inside(error: Exception) -> None:
    answer = raising(error)(event(), None)
    said = problem(answer)
    assert said["status"] == 500
    assert "secret" not in answer["body"]
    assert "Traceback" not in answer["body"]


def test_an_unknown_path_is_a_404_problem() -> None:
    assert problem(raising(ValueError())(event(path="/nowhere"), None))["status"] == 404


@pytest.mark.parametrize("status", ["good", "bad"])
def test_every_answer_has_the_contracts_headers(status: str) -> None:
    app, _ = calling()
    answer = app(event("POST", body='{"type": "addition"}' if status == "good" else "{"), None)
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-request-id"] == "request-7"


def test_an_answer_may_have_a_cache_control_of_its_own() -> None:
    app = Api()

    @app.get("/")
    def page() -> Response[str]:
        return Response(200, "text/html", "hello", {"Cache-Control": "public"})

    assert app(event(), None)["headers"]["Cache-Control"] == "public"


@pytest.mark.parametrize("who", [Access.SIGNED_IN, Access.ADMIN, Access.CHARGED])
def test_who_is_not_signed_in_is_refused_before_the_input_is_read(who: Access) -> None:
    app = Api(access=who)

    @app.post("/")
    def call(body: OperationCall) -> Response[str]:
        raise AssertionError("the handler ran without a caller")

    assert problem(app(event("POST", body="{"), None))["status"] == 401


@pytest.mark.parametrize("path", ["/x/7", "/x/%00", "/x/00000000-0000-0000-0000-00000000000g", "/x/\x00"])
def test_a_bad_uuid_in_the_path_is_a_422_that_names_it(path: str) -> None:
    app = Api()

    @app.get("/x/<id>")
    def get(id: UUID) -> Response[str]:
        raise AssertionError("no such id")

    said = problem(app(event(path=path), None))
    assert said["status"] in (404, 422)
    if said["status"] == 422:
        assert [fault["pointer"] for fault in said["errors"]] == ["#/path/id"]


@pytest.mark.parametrize("key", ["x", "k" * 255, "a b~!"])
def test_an_idempotency_key_is_1_to_255_printable_characters(key: str) -> None:
    assert asked_for_key(key)["statusCode"] == 200


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "é", "\x7f"])
def test_another_idempotency_key_is_a_422_that_names_the_header(key: str) -> None:
    said = problem(asked_for_key(key))
    assert (said["status"], said["errors"][0]["pointer"]) == (422, "#/headers/Idempotency-Key")


def asked_for_key(key: str) -> dict[str, Any]:
    app = Api()

    @app.get("/")
    def get() -> Response[str]:
        assert app.idempotency_key == key
        return done("Got it.")

    return app(event(headers={"idempotency-key": key}), None)


def test_a_success_that_is_not_what_was_promised_is_our_fault() -> None:
    class Promise(BaseModel):
        model_config = ConfigDict(extra="forbid")
        number: int

    app = Api()

    @app.get("/")
    def broken() -> Promise:
        return {"number": "no number"}  # type: ignore[return-value]

    assert problem(app(event(), None))["status"] == 500
