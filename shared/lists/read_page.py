"""Read one page of a list, with its total and the cursor of the next page, as JSON."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from shared import database
from shared.auth.caller import Caller
from shared.database import Row
from shared.errors import InvalidInput, StatementTimeout
from shared.lists import cursor as listing_cursor
from shared.lists.listing import Listing
from shared.lists.query import Filter, Query, parse
from shared.lists.shape import Shape
from shared.lists.statements import (
    count_sql,
    key_count,
    page_sql,
    prepared_page_sql,
    search_sql,
    window_end_sql,
)

COUNT_LIMIT = 10_000
"""The count stops at this many rows. For a longer list, the total is a lower bound."""

COUNT_AFTER = 3.0
"""If reading the page took longer than this many seconds, skip the count: the function has 15 s for both."""

SEARCH_WINDOW = 100_000
"""Rows that one search examines. In a list of 5 million rows, that takes half a second."""

TOO_SLOW = "The query takes too long. Add a filter, leave out the sort, or use the cursor instead of a page."


def read_page(listing: Listing, query_string: str, caller: Caller, filters: Sequence[Filter] = ()) -> str:
    """Return the response's JSON text.

    Args:
        filters: conditions besides those of the query string.

    Raises: InvalidInput if the query is not allowed or takes too long.
    """
    query = parse(
        query_string,
        listing.public,
        may_see_deleted=listing.may_see_deleted(caller),
        may_search=listing.has_search,
    )
    query.filters += filters
    shape, values = split_query(listing, query, caller)
    try:
        return (
            _search(listing, query, shape, values) if shape.searches else _page(listing, query, shape, values)
        )
    except StatementTimeout:
        raise InvalidInput.at("#/query", TOO_SLOW) from None


def _page(listing: Listing, query: Query, shape: Shape, values: Mapping[str, Any]) -> str:
    began = time.monotonic()
    rows = _read(listing, shape, values)
    is_quick = time.monotonic() - began < COUNT_AFTER
    more = len(rows) > query.page_size
    rows = rows[: query.page_size]
    # Rows known to exist: skipped, returned, and one more if a page follows. After an empty page, unknown.
    known = (query.page - 1) * query.page_size + len(rows) + more if rows else 0
    if query.cursor is not None:
        counted = {}
    elif not more and (rows or query.page == 1):
        counted = _totals(query, known, "eq")  # the last page: no need to count
    else:
        total = _count(listing, shape, values) if is_quick else None
        counted = _totals(query, *_bounded(total, known))
    return _response(listing, query, rows, counted, rows[-1] if more else None)


def _read(listing: Listing, shape: Shape, values: Mapping[str, Any]) -> list[Row]:
    prepared = prepared_page_sql(listing, shape)
    if prepared is not None:
        return database.prepared(prepared, values)
    return database.query(page_sql(listing, shape), values)


def _search(listing: Listing, query: Query, shape: Shape, values: Mapping[str, Any]) -> str:
    """Return the matches among the next SEARCH_WINDOW rows, and a cursor for the rows after them."""
    values = {**values, "window": SEARCH_WINDOW}
    rows = database.query(search_sql(listing, shape), values)
    more = len(rows) > query.page_size
    rows = rows[: query.page_size]
    last = rows[-1] if more else next(iter(database.query(window_end_sql(listing, shape), values)), None)
    counted = {} if query.cursor is not None else _totals(query, len(rows) + more, "gte" if last else "eq")
    return _response(listing, query, rows, counted, last)


def _response(
    listing: Listing, query: Query, rows: list[Row], counted: Mapping[str, Any], last: Row | None
) -> str:
    """Return the JSON of a page. The cursor points after `last`; None if no row follows."""
    cursor = None
    if last is not None:
        position = [text for name, text in last.items() if name.startswith("key")]
        cursor = listing_cursor.encode(query, position)
    members = {name: json.dumps(value) for name, value in {**counted, "next_cursor": cursor}.items()}
    members[listing.name] = f"[{', '.join(row['body'] for row in rows)}]"
    return "{" + ", ".join(f'"{name}" : {text}' for name, text in members.items()) + "}"


def split_query(listing: Listing, query: Query, caller: Caller) -> tuple[Shape, dict[str, Any]]:
    """Split a query into its shape and the values of its parameters."""
    filters, values = list[Filter](), dict[str, Any](session_id=caller.session_id)
    for number, wanted in enumerate(query.filters):
        given = wanted.value if isinstance(wanted.value, list) else [wanted.value]
        names = [None if one is None else f"filter{number}_{i}" for i, one in enumerate(given)]
        values.update((name, one) for name, one in zip(names, given, strict=True) if name)
        filters.append(Filter(wanted.field, wanted.operator, tuple(names)))
    is_owners = listing.is_limited_to_owner(caller)
    shape = Shape(
        fields=query.fields,
        filters=tuple(filters),
        sort=query.sort,
        is_owners=is_owners,
        hides=listing.hides_rows and not query.deleted,
        starts="cursor" if query.cursor is not None else "offset" if query.page > 1 else "top",
        searches=query.search is not None,
    )
    if query.search is not None:
        values["pattern"] = _pattern(query.search)
    if is_owners:
        values["owner"] = caller.id
    if query.cursor is not None:
        position = listing_cursor.decode(query, key_count(listing, shape))
        values.update((f"position{i}", text) for i, text in enumerate(position))
    elif query.page > 1:
        values["skipped"] = (query.page - 1) * query.page_size
    return shape, {**values, "wanted": query.page_size + 1}


def _pattern(text: str) -> str:
    """Return the LIKE pattern that matches the text anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _count(listing: Listing, shape: Shape, values: Mapping[str, Any]) -> int | None:
    """Count the matching rows, up to COUNT_LIMIT + 1; None if the count times out."""
    try:
        rows = database.query(count_sql(listing, shape), {**values, "count_limit": COUNT_LIMIT + 1})
    except StatementTimeout:
        return None
    total: int = rows[0]["total"]
    return total


def _bounded(counted: int | None, known: int) -> tuple[int, str]:
    """Return a list's total, and whether it is exact (`eq`) or a lower bound (`gte`).

    Args:
        counted: the count, up to COUNT_LIMIT + 1; None if it timed out.
        known: the number of rows known from the page. The total is never less, even if rows were deleted
            before the count.

    Raises: InvalidInput if the count timed out and no row is known.
    """
    if counted is None and not known:
        raise InvalidInput.at("#/query", TOO_SLOW)
    if counted is None or counted > COUNT_LIMIT or counted < known:
        return max(known, min(counted or 0, COUNT_LIMIT)), "gte"
    return counted, "eq"


def _totals(query: Query, total: int, relation: str) -> dict[str, Any]:
    return {"total_pages": -(-total // query.page_size), "total": total, "total_relation": relation}
