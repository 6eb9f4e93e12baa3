"""$default: return 404 or 405 for requests that match no route."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.errors import MethodNotAllowed, NotFound
from shared.http.api import Api

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"

# `idempotent`, so that a request with an Idempotency-Key also gets 404 or 405 instead of 422.
app = Api(media_type=None, idempotent=True)


@cache
def methods_by_path() -> list[tuple[re.Pattern[str], list[str]]]:
    """Return each path of the OpenAPI document as a pattern, with the methods that it has."""
    paths: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), [m.upper() for m in item])
        for path, item in sorted(paths.items(), key=lambda pair: "{" in pair[0])
    ]


@app.not_found
def unknown_route(_: Exception) -> Response[str]:
    """Return 405 with an Allow header if the path has other methods, otherwise 404."""
    path = app.current_event.path
    for pattern, methods in methods_by_path():
        if pattern.fullmatch(path):
            allowed = sorted(methods)
            return app.problem(MethodNotAllowed(f"This path supports {', '.join(allowed)}.", allowed=allowed))
    return app.problem(NotFound("No route has this path."))
