"""An event of an HTTP API (payload 2.0), an endpoint to handle it, and the problem in a response."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Api
from shared.http.responses import JSON, done
from shared.operations.requests import OperationCall


def event(
    method: str = "GET",
    path: str = "/",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: list[str] | None = None,
    query: str = "",
) -> dict[str, Any]:
    """Return an event. Encode a body of bytes in base64, as API Gateway does for binary data."""
    sent = {"content-type": "application/json"} if body is not None else {}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {**sent, **(headers or {})},
        "requestContext": {
            "requestId": "request-7",
            "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.7", "protocol": "HTTP/1.1"},
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query))
    if cookies is not None:
        event["cookies"] = cookies
    return event


def operation_endpoint(*, media_type: str | None = JSON) -> tuple[Api, list[OperationCall]]:
    """Return an endpoint that accepts operation calls, and the list of calls that it received."""
    app, calls = Api(media_type=media_type), list[OperationCall]()

    @app.post("/")
    def call(body: OperationCall) -> Response[str]:
        calls.append(body)
        return done("Called.")

    return app, calls


def problem(response: dict[str, Any]) -> dict[str, Any]:
    """Return the problem of a response. Assert that it has the contract's form."""
    headers = {name.lower(): value for name, value in response["headers"].items()}
    assert headers["content-type"] == "application/problem+json"
    problem_body: dict[str, Any] = json.loads(response["body"])
    assert problem_body["status"] == response["statusCode"]
    assert problem_body["type"].startswith("/problems/")
    assert problem_body["instance"] == headers["x-request-id"] == "request-7"
    assert problem_body["title"]
    assert problem_body["detail"]
    return problem_body
