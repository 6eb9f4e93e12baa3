"""Checks of a request body before validation: size, media type, JSON."""

import json
from decimal import Decimal

import pytest
from aws_lambda_powertools.event_handler import Response

from shared.errors import MalformedRequest
from shared.http.api import LARGEST_BODY, MULTIPART, Api, parse_json
from shared.http.responses import JSON, done
from tests.support.lambda_event import event, operation_endpoint, problem


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 422),
        ("not json", 400),
        ('{"type": "addition", "arguments": [NaN]}', 400),
        ('{"type": "addition", "arguments": [-Infinity]}', 400),
        ("[" * 100_000, 400),
        ('{"arguments":' * 50_000 + "1" + "}" * 50_000, 413),
        (b"\xff\xfe{}", 400),
        ("null", 422),
        ("[]", 422),
        ('"addition"', 422),
        ("7", 422),
        ('{"type": "\ud800"}', 422),
        ('{"type": "\\ud800"}', 422),
        ('{"type": "addition", "arguments": ["1", 2]}', 422),
        ('{"type": "addition", "arguments": [true, 2]}', 422),
        ('{"type": "addition", "arguments": [null, 2]}', 422),
        ('{"type": "addition", "arguments": {"0": 1}}', 422),
        ('{"type": "addition", "\\u0000": 1}', 422),
        ('{"type": 7}', 422),
        ("{}", 422),
        ('{"type": "addition", "arguments": [1e99999999999999999999]}', 400),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_invalid_body_returns_a_4xx_problem(body: str | bytes, status: int) -> None:
    app, calls = operation_endpoint()
    error = problem(app(event("POST", body=body), None))
    assert error["status"] == status, error
    assert calls == []
    if status == 422:
        assert all(fault["pointer"].startswith("#") for fault in error["errors"])


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ('{"type": "addition", "arguments": [1, "2", true]}', ["#/arguments/1", "#/arguments/2"]),
        ('{"type": "addition", "a/b~c": 1}', ["#/a~1b~0c"]),
        ('{"arguments": []}', ["#/type"]),
        ("[]", ["#"]),
    ],
)
def test_each_fault_has_an_rfc_6901_pointer(body: str, pointers: list[str]) -> None:
    app, _ = operation_endpoint()
    error = problem(app(event("POST", body=body), None))
    assert [fault["pointer"] for fault in error["errors"]] == pointers


def test_problem_lists_at_most_100_faults() -> None:
    app, _ = operation_endpoint()
    error = problem(app(event("POST", body=json.dumps({"type": "x", "arguments": ["1"] * 900})), None))
    assert len(error["errors"]) == 100
    assert len(error["detail"]) < 1000


def test_huge_integer_is_parsed_exactly_and_fast() -> None:
    digits = "1" * 200_000
    assert parse_json(digits) == Decimal(digits)
    assert parse_json("12345678901234567890") == 12345678901234567890


def test_fractions_are_parsed_as_decimals() -> None:
    assert parse_json("[0.1, 1e2, 7]") == [Decimal("0.1"), Decimal("1e2"), 7]
    assert isinstance(parse_json("0.1"), Decimal)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("NaN", "The body is not JSON: NaN is not a JSON number."),
        ("[-Infinity]", "The body is not JSON: -Infinity is not a JSON number."),
        ("[1,\n2,]", "The body is not JSON: syntax error at line 2, column 3."),
        ("", "The body is not JSON: syntax error at line 1, column 1."),
        ('"\n"', "The body is not JSON: syntax error at line 1, column 2."),
        ("1e99999999999999999999", "The exponent of a number in the body is out of range."),
        ("[" * 100_000, "The JSON is nested too deeply."),
    ],
)
def test_invalid_json_raises_malformed_request_with_our_own_detail(text: str, detail: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_json(text)
    assert caught.value.detail == detail


def padded(size: int) -> str:
    start = '{"type": "addition"'
    return start + " " * (size - len(start) - 1) + "}"


@pytest.mark.parametrize("as_bytes", [False, True])
def test_body_of_the_maximum_size_is_accepted_and_a_larger_one_returns_413(as_bytes: bool) -> None:
    app, calls = operation_endpoint()
    largest, larger = padded(LARGEST_BODY[JSON]), padded(LARGEST_BODY[JSON] + 3)
    assert app(event("POST", body=largest.encode() if as_bytes else largest), None)["statusCode"] == 200
    assert len(calls) == 1
    assert problem(app(event("POST", body=larger.encode() if as_bytes else larger), None))["status"] == 413


def test_body_of_10_mb_is_rejected_before_parsing() -> None:
    app, _ = operation_endpoint()
    assert problem(app(event("POST", body="[" * 10_000_000), None))["status"] == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "image/png", "x"])
def test_unsupported_media_type_returns_415(media_type: str) -> None:
    app, calls = operation_endpoint()
    response = app(event("POST", body="{}", headers={"content-type": media_type}), None)
    assert problem(response)["status"] == 415
    assert calls == []


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_media_type_comparison_ignores_case_and_parameters(media_type: str) -> None:
    app, _ = operation_endpoint()
    body = '{"type": "addition"}'
    assert app(event("POST", body=body, headers={"content-type": media_type}), None)["statusCode"] == 200


def test_upload_endpoint_rejects_json_with_415() -> None:
    app, _ = operation_endpoint(media_type=MULTIPART)
    assert problem(app(event("POST", body="{}"), None))["status"] == 415


def test_endpoint_without_a_body_ignores_the_body() -> None:
    app = Api(media_type=None)

    @app.post("/")
    def logout() -> Response[str]:
        return done("Signed out.")

    assert app(event("POST", body="{" * 10_000_000), None)["statusCode"] == 200
