"""The rows of a list, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from restcalc.models import Page

T = TypeVar("T")


class AsyncRows(Generic[T]):
    """The rows of a list. An iteration requests one page after another by cursor, and keeps one in memory."""

    def __init__(self, fetch: Callable[[Mapping[str, str]], Awaitable[Page[T]]]) -> None:
        self._fetch = fetch

    async def page(self, number: int = 1, *, cursor: str | None = None) -> Page[T]:
        """Return one page: that of a number, or the one to which the cursor of the page before points."""
        return await self._fetch({"page": str(number)} if cursor is None else {"cursor": cursor})

    async def __aiter__(self) -> AsyncIterator[T]:
        page = await self.page()
        while True:
            for row in page.rows:
                yield row
            if page.next_cursor is None:
                return
            page = await self.page(cursor=page.next_cursor)
