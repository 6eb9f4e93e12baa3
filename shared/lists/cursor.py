"""Cursors of a list: the sort they were given for, and the position of the last row that was shown."""

import base64
import binascii
import json

from shared.errors import InvalidInput
from shared.lists.query import Query


def encode(query: Query, position: list[str]) -> str:
    """The cursor of a position: the sort keys' values as text."""
    return base64.urlsafe_b64encode(json.dumps([query.sort, position]).encode()).decode().rstrip("=")


def decode(query: Query, length: int) -> list[str]:
    """The position of a cursor made for this very sort. Raises: InvalidInput."""
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
        raise InvalidInput.at("#/query/cursor", "cursor: not one that this list gave for this sort")
    return list(position)
