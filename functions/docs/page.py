"""GET /docs: return a page that shows the OpenAPI document."""

import json
from html import escape
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.http import console
from shared.http.api import Api

PAGE = console.FOLDER / "docs.html"
WITHOUT_BUILD = Path(__file__).with_name("not_built.html")
DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"

app = Api()


@app.get(
    "/docs",
    tags=["docs"],
    summary="Open the API documentation.",
    description=(
        "Returns an HTML page that shows the OpenAPI document and sends requests, signed in or with an API "
        "key. Its scripts and styles are `/assets/{file}`, and it loads nothing from other hosts. "
        "`If-None-Match` with the page's `ETag` returns 304."
    ),
    operation_id="getDocsPage",
    responses=console.PAGE_RESPONSES,
)
def page() -> Response[str]:
    return console.page(PAGE, _without_build, app.headers)


def _without_build() -> str:
    """Return a page that lists the routes, for a service whose pages are not built."""
    paths: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    routes = (
        f"<dt><code>{method.upper()} {path}</code></dt><dd>{escape(operation['summary'])}</dd>"
        for path, item in paths.items()
        for method, operation in item.items()
    )
    return WITHOUT_BUILD.read_text("utf-8").replace("{routes}", "\n".join(routes))
