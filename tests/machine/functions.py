"""A single Lambda handler that routes events to all functions, so that one container serves them."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from deploy.environment import ROOT
from deploy.serverless_file import Service
from localstack.runtime import Runtime

_RUNTIME = Runtime()


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
