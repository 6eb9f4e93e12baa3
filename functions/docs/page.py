"""GET /docs: return a page that shows the OpenAPI document."""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response, openapi

from shared.http.api import Api

PAGE = Path(__file__).parents[2] / "docs" / "page.html"
# Find the folder through its parent: importing the package itself doubles the time of the cold start.
ASSETS = Path(openapi.__file__).parent / "swagger_ui"
RESPONSES: Any = {
    200: {
        "description": "The documentation page.",
        "content": {"text/html": {"schema": {"type": "string"}, "example": "<!DOCTYPE html>…"}},
    }
}

app = Api()


@app.get(
    "/docs",
    tags=["docs"],
    summary="Open the API documentation.",
    description=(
        "Returns Swagger UI as one HTML page that loads nothing from other hosts. It shows the OpenAPI "
        "document and can send requests."
    ),
    operation_id="getDocsPage",
    responses=RESPONSES,
)
def page() -> Response[str]:
    html = PAGE.read_text(encoding="utf-8")
    for asset in ("swagger-ui.min.css", "swagger-ui-bundle.min.js"):
        html = html.replace("{" + asset + "}", (ASSETS / asset).read_text(encoding="utf-8"))
    return Response(200, "text/html; charset=utf-8", html, {"Cache-Control": "public, max-age=300"})
