"""The function for unknown paths: 404, or 405 with the allowed methods."""

import json

import pytest

from functions.docs.not_found import app
from tests.support.lambda_event import event, problem


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/login", "POST"),
        ("POST", "/", "GET"),
        ("DELETE", "/assets/index.js", "GET"),
        ("DELETE", "/refresh", "GET, POST"),
        ("PUT", "/api/v1/records", "GET, POST"),
        ("POST", "/api/v1/users/me", "GET, PATCH"),
        ("PUT", "/api/v1/users/00000000-0000-7000-8000-000000000001", "DELETE, GET, PATCH"),
        ("GET", "/api/v1/tasks/x/cancel", "POST"),
    ],
)
def test_wrong_method_returns_405_with_the_allowed_methods(method: str, path: str, allowed: str) -> None:
    response = app(event(method, path), None)
    assert problem(response)["status"] == 405
    assert response["headers"]["Allow"] == allowed


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("path", ["/nowhere", "/assets", "/api/v1", "/api/v1/users/a/b", "/login/", "/LOGIN"])
def test_unknown_path_returns_404_for_any_method(method: str, path: str) -> None:
    response = app(event(method, path), None)
    assert problem(response)["status"] == 404
    assert "Allow" not in response["headers"]


def test_body_to_an_unknown_path_is_not_parsed() -> None:
    assert problem(app(event("POST", "/nowhere", body="{" * 1000), None))["type"] == "/problems/not-found"
    assert json.loads(app(event("POST", "/nowhere", body=b"\xff"), None)["body"])["status"] == 404
