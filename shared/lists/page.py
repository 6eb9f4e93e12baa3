"""Read one page of a list, with its total and the cursor of the next page, as JSON."""

import json
import time
from collections.abc import Mapping
from typing import Any

from shared import database
from shared.auth.caller import Caller
from shared.errors import InvalidInput, StatementTimeout
from shared.lists import cursor as listing_cursor
from shared.lists.listing import Listing
from shared.lists.query import Filter, Query, parse
from shared.lists.statements import Shape, count_sql, page_sql, sort_keys

COUNT_LIMIT = 10_000
"""The count stops at this many rows. For a longer list, the total is a lower bound."""

COUNT_AFTER = 3.0
"""If reading the page took longer than this many seconds, skip the count: the function has 15 s for both."""

TOO_SLOW = "The query takes too long. Add a filter, leave out the sort, or use the cursor instead of a page."


def read_page(listing: Listing, query_string: str, caller: Caller) -> str:
    """Return the response's JSON text.

    Raises: InvalidInput if the query is not allowed or takes too long.
    """
    query = parse(query_string, listing.public, may_see_deleted=listing.may_see_deleted(caller))
    shape, values = _split(listing, query, caller)
    began = time.monotonic()
    try:
        rows = database.query(page_sql(listing, shape), values)
    except StatementTimeout:
        raise InvalidInput.at("#/query", TOO_SLOW) from None
    is_quick = time.monotonic() - began < COUNT_AFTER
    more = len(rows) > query.page_size
    rows = rows[: query.page_size]
    # Rows known to exist: skipped, returned, and one more if a page follows. An empty page proves none.
    known = (query.page - 1) * query.page_size + len(rows) + more if rows else 0
    if query.cursor is not None:
        counted = {}
    elif not more and (rows or query.page == 1):
        counted = _totals(query, known, "eq")  # the last page: no need to count
    else:
        total = _count(listing, shape, values) if is_quick else None
        counted = _totals(query, *_bounded(total, known))
    keys = [f"key{i}" for i in range(len(sort_keys(listing, shape)))]
    cursor = listing_cursor.encode(query, [rows[-1][key] for key in keys]) if more else None
    members = {name: json.dumps(value) for name, value in {**counted, "next_cursor": cursor}.items()}
    members[listing.name] = f"[{', '.join(row['body'] for row in rows)}]"
    return "{" + ", ".join(f'"{name}": {text}' for name, text in members.items()) + "}"


def _split(listing: Listing, query: Query, caller: Caller) -> tuple[Shape, dict[str, Any]]:
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
        hides=listing.hidden is not None and not query.deleted,
        starts="cursor" if query.cursor is not None else "offset" if query.page > 1 else "top",
    )
    if is_owners:
        values["owner"] = caller.id
    if query.cursor is not None:
        position = listing_cursor.decode(query, len(sort_keys(listing, shape)))
        values.update((f"position{i}", text) for i, text in enumerate(position))
    elif query.page > 1:
        values["skipped"] = (query.page - 1) * query.page_size
    return shape, {**values, "wanted": query.page_size + 1}


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
