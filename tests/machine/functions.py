"""The functions behind their routes: one Lambda container for all of them."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from deploy.environment import ROOT
from deploy.serverless_file import Service
from localstack.runtime import Runtime

_RUNTIME = Runtime()


def handler(event: Mapping[str, Any], context: object) -> Any:
    """The answer of the function that serverless.yml names for the event's method and path."""
    asked = event["requestContext"]["http"]
    match = _service().match(asked["method"], asked["path"])
    assert match
    return _RUNTIME.invoke(match.route.function, event)


@cache
def _service() -> Service:
    return Service.load(ROOT / "serverless.yml", os.environ)
