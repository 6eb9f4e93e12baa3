"""An event of an HTTP API (payload 2.0), an endpoint to give it to, and the problem it is answered with."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.http.api import JSON, Api
from shared.http.responses import done
from shared.schemas.requests import OperationCall


def event(
    method: str = "GET",
    path: str = "/",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: list[str] | None = None,
    query: str = "",
) -> dict[str, Any]:
    """A request; a body of bytes goes base64-encoded, as API Gateway sends what is not text."""
    sent = {"content-type": "application/json"} if body is not None else {}
    made: dict[str, Any] = {
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
        made["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if cookies is not None:
        made["cookies"] = cookies
    return made


def calling(*, media_type: str | None = JSON) -> tuple[Api, list[OperationCall]]:
    """An endpoint that takes a call, and the calls that it was given."""
    app, calls = Api(media_type=media_type), list[OperationCall]()

    @app.post("/")
    def call(body: OperationCall) -> Response[str]:
        calls.append(body)
        return done("Called.")

    return app, calls


def problem(answer: dict[str, Any]) -> dict[str, Any]:
    """The problem of an answer, which has the contract's form."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = json.loads(answer["body"])
    assert said["status"] == answer["statusCode"]
    assert said["type"].startswith("/problems/")
    assert said["instance"] == headers["x-request-id"] == "request-7"
    assert said["title"]
    assert said["detail"]
    return said
