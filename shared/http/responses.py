"""The answers of endpoints, and how the OpenAPI document tells of them."""

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from shared.http.problems import PROBLEM
from shared.schemas.responses import Problem

JSON = "application/json"


def ok(body: str, *, headers: Mapping[str, str] | None = None, status: int = 200) -> Response[str]:
    """An answer whose body is JSON text already."""
    return Response(status, JSON, body, dict(headers or {}))


def created(body: str, location: str) -> Response[str]:
    """201, with where the new thing is."""
    return ok(body, status=201, headers={"Location": location})


def no_content() -> Response[str]:
    """204, with nothing."""
    return Response(204, None, "")


def done(message: str, *, cookies: Any = (), **members: Any) -> Response[str]:
    """The answer of what has no body of its own."""
    body = json.dumps({"status": "success", "message": message, **members})
    return Response(200, JSON, body, cookies=list(cookies))


def documented(
    model: type[BaseModel] | None,
    *problems: int,
    status: int = 200,
    headers: tuple[str, ...] = (),
) -> dict[int, Any]:
    """An endpoint's answers, for the OpenAPI document.

    Args:
        model: the body of its success, or None for an empty one.
        problems: the statuses of its own refusals. Those that come with signing in, a body or a
            database are added by `docs/openapi.py`.
        status: of its success.
        headers: of its success.
    """
    success: dict[str, Any] = {"description": "Done.", "content": {JSON: {"model": model}} if model else {}}
    if headers:
        success["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return {status: success, **{problem: refusal() for problem in problems}}


def refusal() -> dict[str, Any]:
    """An RFC 9457 problem, for the OpenAPI document."""
    return {"description": "Refused.", "content": {PROBLEM: {"model": Problem}}}
