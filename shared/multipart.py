"""Forms with files (RFC 7578): what has to hold before Powertools takes one apart."""

import base64
import re

from shared.errors import MalformedRequest

# RFC 2046, section 5.1.1: 1 to 70 characters; quoted when there are others than a token's among them.
_BOUNDARY = re.compile(r""";\s*boundary=(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)""", re.IGNORECASE)
_END = 400
"""Base64 characters that hold a boundary and what is around it; a multiple of four."""


def check_form(content_type: str, body: str, *, is_base64: bool) -> None:
    """Refuse a form that has no boundary, or does not begin and end with it: it may be cut off, and
    half a file must not be taken for a whole one.

    Raises:
        MalformedRequest.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MalformedRequest("The Content-Type must name the form's boundary.")
    delimiter = b"--" + (found[1] or found[2]).encode()
    head, tail = body[:_END], body[-_END:]
    begins, ends = (
        (base64.b64decode(head), base64.b64decode(tail)) if is_base64 else (head.encode(), tail.encode())
    )
    if not begins.startswith(delimiter + b"\r\n") or not ends.rstrip().endswith(b"\r\n" + delimiter + b"--"):
        raise MalformedRequest("The form must begin and end with its boundary.")
