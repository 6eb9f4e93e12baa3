"""Declare a list of the API: its table, public fields, order and visibility.

`shared/lists/sql.py` builds the SQL of a list, and `shared/lists/read_page.py` reads one page of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Column, ColumnElement, Table

from shared.auth.caller import Caller
from shared.lists.query import FieldType, field_types


@dataclass(frozen=True, eq=False)
class Listing:
    """One list of the API.

    Args:
        name: the JSON member that holds the rows.
        table: the table to read.
        schema: the public fields, in order.
        json_function: the SQL function that returns one row as JSON.
        newest: the columns of the default order, all descending; the last is unique.
        expressions: SQL expressions of the public fields that are not columns. They may have the parameter
            `session_id`: the id of the caller's session, or null for an API key.
        owner: the column with the owner's id; None if all callers see all rows.
        admins_see_all: whether admins see the rows of all users.
        hidden: the column or expression that is not null on deleted rows.
        lookups: for a field of another table, this table's column that refers to that table, and the field's
            column there. A filter then compares once for each row of that table.
        contains: returns whether a row contains the pattern of `search`; None for a list without search.
    """

    name: str
    table: Table
    schema: type[BaseModel]
    json_function: Callable[[ColumnElement[Any]], ColumnElement[str]]
    newest: tuple[Column[Any], ...]
    expressions: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    owner: Column[Any] | None = None
    admins_see_all: bool = True
    hidden: ColumnElement[Any] | None = None
    lookups: Mapping[str, tuple[Column[Any], Column[Any]]] = field(default_factory=dict)
    contains: Callable[[ColumnElement[str]], ColumnElement[bool]] | None = None

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

    def expression(self, name: str) -> ColumnElement[Any]:
        """Return the SQL expression of a public field."""
        return self.expressions[name] if name in self.expressions else self.table.c[name]
