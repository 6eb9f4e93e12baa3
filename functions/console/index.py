"""GET /: return the page of the console."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.http import console
from shared.http.api import Api
from shared.http.responses import binary
from shared.settings import settings

PAGE = console.FOLDER / "index.html"
PAGE_WITHOUT_BUILD = Path(__file__).with_name("not_built.html")
HTML = "text/html; charset=utf-8"
ETAG: Any = {"ETag": {"schema": {"type": "string"}}}
RESPONSES: Any = {
    200: {
        "description": "The page.",
        "headers": ETAG,
        "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
    },
    304: {
        "description": "The page of the `ETag` in `If-None-Match` is current.",
        "headers": ETAG,
        "content": {},
    },
}

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
    responses=RESPONSES,
)
def index() -> Response[str]:
    page = PAGE if PAGE.is_file() else PAGE_WITHOUT_BUILD
    content, headers = console.read(page, app.headers.get("accept-encoding", ""))
    # A hash of the compressed bytes: a strong ETag differs between content codings (RFC 9110, 8.8.3.3).
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers |= {"Cache-Control": "no-cache", "ETag": etag, "Content-Security-Policy": _policy()}
    if etag in app.headers.get("if-none-match", ""):
        return binary(b"", HTML, headers, status=304)
    return binary(content, HTML, headers)


def _policy() -> str:
    """Return the Content-Security-Policy: only the service's own files, and requests to it and its bucket."""
    bucket = settings().bucket_url
    directives = {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "img-src", "font-src"), "'self'"),
        # Uploads go to the bucket's URL, and results are below it. S3's origin alone would allow any bucket.
        "connect-src": f"'self' {bucket} {bucket}/",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())
