"""Forms with files (RFC 7578): what has to hold before Powertools takes one apart."""

import base64
import re

from shared.errors import InvalidInput, MalformedRequest

# RFC 2046, section 5.1.1: 1 to 70 characters; quoted when there are others than a token's among them.
_BOUNDARY = re.compile(r""";\s*boundary=(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)""", re.IGNORECASE)
_NAME = re.compile(
    rb'(?:\r\n[^\r\n]+)*?\r\ncontent-disposition:[^\r\n]*?;\s*name="([^"\r\n]*)"', re.IGNORECASE
)


def check_form(content_type: str, body: str, field: str, *, is_base64: bool) -> None:
    """Refuse a form that has no boundary, or does not begin and end with it: it may be cut off, and
    half a file must not be taken for a whole one. And one with anything but the one field.

    Raises:
        MalformedRequest; InvalidInput for another field, or the same one twice.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MalformedRequest("The Content-Type must name the form's boundary.")
    delimiter = b"--" + (found[1] or found[2]).encode()
    content = base64.b64decode(body) if is_base64 else body.encode()
    first, *parts = (b"\r\n" + content.rstrip()).split(b"\r\n" + delimiter)
    if first or not parts or parts.pop() != b"--":
        raise MalformedRequest("The form must begin and end with its boundary.")
    names = [named[1].decode(errors="replace") for part in parts if (named := _NAME.match(part))]
    if names != [field]:
        faults = [
            {"pointer": f"#/{name[:64]}", "detail": "Not a field of this form."}
            for name in names
            if name != field
        ]
        if names.count(field) != 1:
            faults.append({"pointer": f"#/{field}", "detail": "The file is needed, once."})
        raise InvalidInput(f"The form has one field: {field}.", errors=faults)
