"""Declare a list of the API: its public fields, order and visibility.

`shared/lists/sources.py` declares the tables and expressions, and `shared/lists/read_page.py` reads one page.
"""

from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel

from shared.auth.caller import Caller
from shared.lists.query import FieldType, field_types


@dataclass(frozen=True, eq=False)
class Listing:
    """One list of the API.

    Args:
        name: the JSON member that holds the rows.
        schema: the public fields, in order.
        newest: the columns of the default order, all descending; the last is unique.
        owner: the column with the owner's id; None if all callers see all rows.
        admins_see_all: whether admins see the rows of all users.
        hides_rows: whether the list leaves out some rows, such as deleted ones.
        has_search: whether the list has the parameter `search`.
    """

    name: str
    schema: type[BaseModel]
    newest: tuple[str, ...]
    owner: str | None = None
    admins_see_all: bool = True
    hides_rows: bool = False
    has_search: bool = False

    @cached_property
    def public(self) -> dict[str, FieldType]:
        """The public fields and their types."""
        return field_types(self.schema)

    def may_see_deleted(self, caller: Caller) -> bool:
        """Whether the caller may ask for deleted rows."""
        return caller.is_admin and "deleted_at" in self.public

    def is_limited_to_owner(self, caller: Caller) -> bool:
        """Whether the caller sees their own rows only."""
        return self.owner is not None and not (caller.is_admin and self.admins_see_all)
