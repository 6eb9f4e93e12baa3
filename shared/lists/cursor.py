"""Encode and decode cursors: the sort of a list, and the position of the last row of a page."""

import base64
import binascii
import json

from shared.errors import InvalidInput
from shared.lists.query import Query


def encode(query: Query, position: list[str]) -> str:
    """Return the cursor for a position, which is the values of the sort keys as text."""
    return base64.urlsafe_b64encode(json.dumps([query.sort, position]).encode()).decode().rstrip("=")


def decode(query: Query, length: int) -> list[str]:
    """Return the position in a cursor. Raises: InvalidInput if it was made for another sort."""
    try:
        padded = (query.cursor or "") + "=" * (-len(query.cursor or "") % 4)
        sort, position = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        well_formed = (
            sort == [list(key) for key in query.sort]
            and len(position) == length
            and all(isinstance(text, str) and b"\0" not in text.encode() for text in position)
        )
    except (ValueError, TypeError, binascii.Error, RecursionError):
        well_formed = False
    if not well_formed:
        raise InvalidInput.at(
            "#/query/cursor", "cursor: send the next_cursor of this list, with the same sort"
        )
    return list(position)
