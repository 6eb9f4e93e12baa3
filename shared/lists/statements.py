"""Choose the SQL of a list: compiled for its default shapes, otherwise built with SQLAlchemy.

Importing SQLAlchemy takes almost as long as all other imports together, so it is imported for the first query
with a filter, another sort, chosen fields or a search.
"""

from types import ModuleType

from shared.lists.compiled import COMPILED
from shared.lists.listing import Listing
from shared.lists.shape import Shape


def prepared_page_sql(listing: Listing, shape: Shape) -> str | None:
    """Return the SQL of a page for a prepared statement, or None if the shape is not compiled."""
    return _compiled(listing, shape, shape.starts)


def page_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of a page, which Postgres should plan for its values."""
    return str(_builder().page_sql(listing, shape))


def count_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL that counts a list, up to the parameter `count_limit`."""
    return _compiled(listing, shape, "count") or str(_builder().count_sql(listing, shape))


def search_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of the rows that contain `pattern`, among the next `window` rows of the list."""
    return str(_builder().search_sql(listing, shape))


def window_end_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of the sort keys of row number `window`, or of no row if the list is shorter."""
    return str(_builder().window_end_sql(listing, shape))


def key_count(listing: Listing, shape: Shape) -> int:
    """Return the number of keys that order a list."""
    return (
        len(listing.newest) if shape.is_newest_first(listing) else int(_builder().key_count(listing, shape))
    )


def _compiled(listing: Listing, shape: Shape, kind: str) -> str | None:
    return COMPILED.get((listing.name, shape.is_owners, kind)) if shape.is_default(listing) else None


def _builder() -> ModuleType:
    from shared.lists import sql

    return sql
