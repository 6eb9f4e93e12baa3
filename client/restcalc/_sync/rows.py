"""The rows of a list, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from restcalc.models import Page

T = TypeVar("T")


class Rows(Generic[T]):
    """The rows of a list. An iteration requests one page after another by cursor, and keeps one in memory."""

    def __init__(self, fetch: Callable[[Mapping[str, str]], Page[T]]) -> None:
        self._fetch = fetch

    def page(self, number: int = 1, *, cursor: str | None = None) -> Page[T]:
        """Return one page: that of a number, or the one to which the cursor of the page before points."""
        return self._fetch({"page": str(number)} if cursor is None else {"cursor": cursor})

    def __iter__(self) -> Iterator[T]:
        page = self.page()
        while True:
            yield from page.rows
            if page.next_cursor is None:
                return
            page = self.page(cursor=page.next_cursor)
