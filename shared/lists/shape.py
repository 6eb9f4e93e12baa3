"""The shape of a list's query: all that determines the SQL text."""

from dataclasses import dataclass, replace

from shared.lists.listing import Listing
from shared.lists.query import Filter


@dataclass(frozen=True, slots=True)
class Shape:
    """What determines the SQL text of a query. Queries of one shape differ in their parameters only.

    A filter's value holds the names of its parameters. `is_owners` limits the rows to those of the owner,
    `hides` leaves out deleted rows, `searches` means that there is a search pattern, and `starts` is "top",
    "offset" or "cursor".
    """

    fields: tuple[str, ...]
    filters: tuple[Filter, ...]
    sort: tuple[tuple[str, bool], ...]
    is_owners: bool
    hides: bool
    starts: str
    searches: bool

    def after_cursor(self) -> "Shape":
        """Return the shape of the rows after a position."""
        return replace(self, starts="cursor")

    def is_newest_first(self, listing: Listing) -> bool:
        """Whether the query has the list's default order, or names it."""
        return self.sort in ((), tuple((name, True) for name in listing.newest[:-1]))

    def is_default(self, listing: Listing) -> bool:
        """Whether the query has no filter, chosen fields, search, or sort besides the default order."""
        return (
            not (self.fields or self.filters or self.searches)
            and self.hides == listing.hides_rows
            and self.is_newest_first(listing)
        )


def csv_header(shape: Shape) -> bytes:
    """Return the header line of an export."""
    return f"{','.join(shape.fields)}\n".encode()
