"""GET /openapi.json: return the OpenAPI 3.1 document."""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Api
from shared.http.responses import ok

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"

RESPONSES: Any = {
    200: {
        "description": "The OpenAPI document.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}},
    }
}

app = Api()


@app.get(
    "/openapi.json",
    tags=["docs"],
    summary="Get the OpenAPI document.",
    description="Returns this document: OpenAPI 3.1, all routes.",
    operation_id="getOpenApi",
    responses=RESPONSES,
)
def openapi() -> Response[str]:
    return ok(DOCUMENT.read_text(encoding="utf-8"), headers={"Cache-Control": "public, max-age=300"})
