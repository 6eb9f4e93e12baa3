"""All functions behind one Lambda handler, so that one container serves them, and their responses."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from deploy.environment import ROOT
from deploy.serverless_file import Service
from localstack.runtime import Runtime

HANDLER = f"{__name__}.handler"
_RUNTIME = Runtime()


@dataclass(frozen=True)
class Response:
    """A function's response: its body as text and as parsed JSON, with numbers as decimals."""

    status: int
    text: str
    body: Any
    replayed: bool
    cookies: tuple[str, ...]

    @classmethod
    def of(cls, response: Mapping[str, Any]) -> "Response":
        text = response.get("body") or ""
        if response.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        return cls(
            response["statusCode"],
            text,
            json.loads(text, parse_float=Decimal, parse_int=Decimal) if text else {},
            response["headers"].get("Idempotent-Replayed") == "true",
            tuple(response.get("cookies") or ()),
        )


def handler(event: Mapping[str, Any], context: object) -> Any:
    """Invoke the function that serverless.yml declares for the event's method and path."""
    http = event["requestContext"]["http"]
    match = _service().match(http["method"], http["path"])
    assert match
    # As API Gateway does: idempotency keys are stored with the route.
    route_key = f"{match.route.method} {match.route.path}"
    return _RUNTIME.invoke(match.route.function, {**event, "routeKey": route_key})


@cache
def _service() -> Service:
    return Service.load(ROOT / "serverless.yml", os.environ)
