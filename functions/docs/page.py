"""GET /docs: a page to read the OpenAPI document and try it."""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response, openapi

from shared.http.api import Api

PAGE = Path(__file__).parents[2] / "docs" / "page.html"
# Not from the package in that folder: its import takes as long as all the rest.
ASSETS = Path(openapi.__file__).parent / "swagger_ui"
ANSWERS: Any = {
    200: {
        "description": "The page.",
        "content": {"text/html": {"schema": {"type": "string"}, "example": "<!DOCTYPE html>…"}},
    }
}

app = Api()


@app.get("/docs", tags=["docs"], responses=ANSWERS)
def page() -> Response[str]:
    """Swagger UI, whole in one page: nothing is fetched from anywhere else."""
    html = PAGE.read_text(encoding="utf-8")
    for asset in ("swagger-ui.min.css", "swagger-ui-bundle.min.js"):
        html = html.replace("{" + asset + "}", (ASSETS / asset).read_text(encoding="utf-8"))
    return Response(200, "text/html; charset=utf-8", html, {"Cache-Control": "public, max-age=300"})
