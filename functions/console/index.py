"""GET /: return the page of the console."""

from pathlib import Path

from aws_lambda_powertools.event_handler import Response

from shared.http import console
from shared.http.api import Api

PAGE = console.FOLDER / "index.html"
WITHOUT_BUILD = Path(__file__).with_name("not_built.html")

app = Api()


@app.get(
    "/",
    tags=["console"],
    summary="Open the console.",
    description=(
        "Returns the console's HTML page, whose scripts and styles are `/assets/{file}`. It sends requests "
        "only to the service and its bucket. `If-None-Match` with the page's `ETag` returns 304."
    ),
    operation_id="getConsole",
    responses=console.PAGE_RESPONSES,
)
def index() -> Response[str]:
    return console.page(PAGE, lambda: WITHOUT_BUILD.read_text("utf-8"), app.headers)
