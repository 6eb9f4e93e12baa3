"""GET /assets/{file}: return a script, style or image of the console."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.errors import NotFound
from shared.http import console
from shared.http.api import Api
from shared.http.responses import binary

FOLDER = console.FOLDER / "assets"
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
RESPONSES: Any = {
    200: {
        "description": "The file.",
        "content": {
            content_type.partition(";")[0]: {"schema": {"type": "string"}, "example": "…"}
            for content_type in CONTENT_TYPES.values()
        },
    },
    404: {"description": "There is no such file."},
}

app = Api()


@app.get(
    "/assets/<file>",
    tags=["console"],
    summary="Get a file of the console.",
    description=(
        "Returns a script, style or image that the console's page loads. Its name has a hash of its content, "
        "so clients may keep it for ever."
    ),
    operation_id="getConsoleAsset",
    responses=RESPONSES,
)
def asset(file: str) -> Response[str]:
    # Only a name in the folder's own list is opened, so no request can name a path outside it.
    path = next((path.with_suffix("") for path in FOLDER.glob("*.gz") if path.stem == file), None)
    if path is None or path.suffix not in CONTENT_TYPES:
        raise NotFound("The console has no such file. Reload the page: a newer version has other files.")
    content, headers = console.read(path, app.headers.get("accept-encoding", ""))
    headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return binary(content, CONTENT_TYPES[path.suffix], headers)
