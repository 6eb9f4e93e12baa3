"""Serve the web pages and their files from `build/console`.

The build compresses each file (`a.js.br`, `a.js.gz`) and keeps the uncompressed form of pages only.
"""

import gzip
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from shared.http.responses import binary
from shared.settings import settings

FOLDER = Path(__file__).parents[2] / "build" / "console"
HTML = "text/html; charset=utf-8"

_ETAG: Any = {"ETag": {"schema": {"type": "string"}}}
PAGE_RESPONSES: Any = {
    200: {
        "description": "The page.",
        "headers": _ETAG,
        "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
    },
    304: {
        "description": "The page of the `ETag` in `If-None-Match` is current.",
        "headers": _ETAG,
        "content": {},
    },
}

_SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""The suffix of a compressed file by its content coding, the smallest first."""
_WEIGHT_OF_ZERO = re.compile(r"q=0(\.0*)?")


def page(file: Path, without_build: Callable[[], str], request_headers: Mapping[str, str]) -> Response[str]:
    """Return an HTML page of the build, or 304 if the client has it.

    Args:
        without_build: returns the page for a service whose console is not built.
    """
    if file.is_file():
        content, headers = read(file, request_headers.get("accept-encoding", ""))
    else:
        content, headers = without_build().encode(), {}
    # A hash of the compressed bytes: a strong ETag differs between content codings (RFC 9110, 8.8.3.3).
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers |= {"Cache-Control": "no-cache", "ETag": etag, "Content-Security-Policy": _policy()}
    if etag in request_headers.get("if-none-match", ""):
        return binary(b"", HTML, headers, status=304)
    return binary(content, HTML, headers)


def read(file: Path, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return the smallest form of a file that the client accepts, and the headers that describe the form."""
    headers = {"Vary": "Accept-Encoding"}
    accepted = _accepted(accept_encoding)
    for coding, suffix in _SUFFIXES.items():
        compressed = file.with_name(file.name + suffix)
        if coding in accepted and compressed.is_file():
            return compressed.read_bytes(), {**headers, "Content-Encoding": coding}
    if file.is_file():
        return file.read_bytes(), headers
    return gzip.decompress(file.with_name(f"{file.name}.gz").read_bytes()), headers


def _accepted(accept_encoding: str) -> set[str]:
    """Return the content codings in an Accept-Encoding header, without those of weight 0."""
    codings = (part.partition(";") for part in accept_encoding.lower().replace(" ", "").split(","))
    return {coding for coding, _, weight in codings if not _WEIGHT_OF_ZERO.fullmatch(weight)}


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
