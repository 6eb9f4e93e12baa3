"""Reads the API's lists as one caller, page by page or by cursor."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from shared.auth.caller import Caller
from shared.lists.listing import Listing
from shared.lists.read_page import read_page


class Reader:
    """Reads lists as one caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def page(self, listing: Listing, **query: object) -> dict[str, Any]:
        text = urlencode({name: value for name, value in query.items() if value is not None})
        page: dict[str, Any] = json.loads(read_page(listing, text, self.caller))
        return page

    def rows(self, listing: Listing, **query: object) -> list[dict[str, Any]]:
        return list(self.page(listing, page_size=100, **query)[listing.name])

    def walk(self, listing: Listing, **query: object) -> Iterator[dict[str, Any]]:
        """Yield every row, following the cursor from the first page to the last."""
        page = self.page(listing, **query)
        yield from page[listing.name]
        for _ in range(1000):
            if page["next_cursor"] is None:
                return
            page = self.page(listing, **query, cursor=page["next_cursor"])
            assert set(page) == {"next_cursor", listing.name}, "a page by cursor has no total"
            yield from page[listing.name]
        raise AssertionError("the cursors do not end")


def ids(rows: list[dict[str, Any]]) -> list[UUID]:
    return [UUID(row["id"]) for row in rows]
