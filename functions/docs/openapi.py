"""GET /openapi.json: the OpenAPI 3.1 document of all functions."""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Api
from shared.http.responses import ok

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"

ANSWERS: Any = {
    200: {
        "description": "The document.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}},
    }
}

app = Api()


@app.get("/openapi.json", tags=["docs"], responses=ANSWERS)
def openapi() -> Response[str]:
    """As `make openapi` made it from the functions themselves."""
    return ok(DOCUMENT.read_text(encoding="utf-8"), headers={"Cache-Control": "public, max-age=300"})
