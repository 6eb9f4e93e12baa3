"""Parse an uploaded form: multipart/form-data with one file (RFC 7578)."""

from collections.abc import Callable
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from shared.errors import Fault, InvalidInput, MalformedRequest

FIELD = "file"
"""Name of the form's one field."""
PARTS_LIMIT = 20
"""Parts of a form that are read; parsing stops at the next one."""


class Upload(NamedTuple):
    """A file as the client sent it."""

    filename: str
    content: bytes


def parse_upload(content_type: str, body: bytes) -> Upload:
    """Return the file of a form.

    Raises:
        MalformedRequest: the form can't be parsed or is incomplete.
        InvalidInput: the form has another field, a second file or no file.
    """
    parts = list[File | Field]()

    def add(part: File | Field) -> None:
        parts.append(part)
        if len(parts) > PARTS_LIMIT:
            raise InvalidInput(f"The form has more than {PARTS_LIMIT} parts. Send one part, named {FIELD}.")

    try:
        _parse(content_type, body, add)
    except (FormParserError, UnicodeEncodeError):
        raise MalformedRequest(
            "The form cannot be parsed. Check its boundary and the headers of its parts."
        ) from None
    return _only_file(parts)


def _parse(content_type: str, body: bytes, add: Callable[[File | Field], None]) -> None:
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise MalformedRequest("The Content-Type must name the form's boundary.")
    ends = list[None]()
    config = {"MAX_MEMORY_FILE_SIZE": float("inf"), "UPLOAD_ERROR_ON_BAD_CTE": True}
    parser = FormParser(
        "multipart/form-data", add, add, lambda: ends.append(None), boundary=boundary, config=config
    )
    # The parser ignores data after the final boundary. If the file contains the boundary, that data is the
    # rest of the file, so only blanks may follow.
    whole = body.rstrip()
    parser.write(whole[:-1])
    if ends:
        raise MalformedRequest(
            "Data follows the final boundary of the form. Choose a boundary that the file does not contain."
        )
    parser.write(whole[-1:])
    if not ends:
        raise MalformedRequest("The form is incomplete: its final boundary is missing.")


def _only_file(parts: list[File | Field]) -> Upload:
    names = [(part.field_name or b"").decode(errors="replace") for part in parts]
    faults: list[Fault] = [
        {"pointer": f"#/{_escaped(name[:64])}", "detail": "Not a field of this form."}
        for name in names
        if name != FIELD
    ]
    if names.count(FIELD) != 1:
        faults.append({"pointer": f"#/{FIELD}", "detail": "Send this file once."})
    if faults:
        raise InvalidInput(f"Send a form with one field, {FIELD}.", errors=faults)
    (part,) = parts
    if not isinstance(part, File):
        raise InvalidInput.at(f"#/{FIELD}", "Send this field as a file, with a filename.")
    content = part.file_object
    content.seek(0)
    return Upload((part.file_name or b"").decode(errors="replace"), content.read())


def _escaped(name: str) -> str:
    """Escape a name for an RFC 6901 pointer."""
    return name.replace("~", "~0").replace("/", "~1")
