"""Lists: read a table's rows by page or cursor, filtered, sorted and with selected fields, in one statement.

SQLAlchemy Core builds the statement. Postgres writes the JSON, so that money keeps all its digits.
"""

import json
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.sql import literal_column
from sqlalchemy.types import BigInteger, DateTime, Numeric, Uuid

from shared import database
from shared.auth.caller import Caller
from shared.errors import InvalidInput, StatementTimeout
from shared.lists import cursor as listing_cursor
from shared.lists.query import FieldType, Filter, Query, field_types, parse

COUNT_LIMIT = 10_000
"""The count stops at this many rows. For a longer list, the total is a lower bound."""

COUNT_AFTER = 3.0
"""If reading the page took longer than this many seconds, skip the count: the function has 15 s for both."""

TOO_SLOW = "This takes too long: filter it further, leave out the sort, or follow the cursor."

_DIALECT = PGDialect_pg8000(paramstyle="named")  # type: ignore[no-untyped-call]
# The substitute for null in a sort key; a preceding key sorts by whether the value is null.
_ZERO: Mapping[type, str] = {DateTime: "epoch", Numeric: "0", BigInteger: "0", Uuid: f"{0:032x}", Text: ""}

_COMPARISONS = {
    "eq": operator.eq,
    "gte": operator.ge,
    "lte": operator.le,
    "gt": operator.gt,
    "lt": operator.lt,
}

Statement = Select[*tuple[Any, ...]]
SortKey = tuple[ColumnElement[Any], bool]


@dataclass(frozen=True, slots=True)
class Shape:
    """What determines the SQL text of a query. Queries of one shape differ in their parameters only.

    A filter's value holds the names of its parameters. `starts` is "top", "offset" or "cursor".
    """

    fields: tuple[str, ...]
    filters: tuple[Filter, ...]
    sort: tuple[tuple[str, bool], ...]
    is_owners: bool
    hides: bool
    starts: str


@dataclass(frozen=True, eq=False)
class Listing:
    """One list of the API.

    Args:
        name: the JSON member that holds the rows.
        table: the table to read.
        schema: the public fields, in order.
        json_function: the SQL function that returns one row as JSON.
        newest: the columns of the default order, all descending; the last is unique.
        expressions: SQL expressions of the public fields that are not columns.
        owner: the column with the owner's id; None if all callers see all rows.
        admins_see_all: whether admins see the rows of all users.
        hidden: the column that is not null on deleted rows.
    """

    name: str
    table: Table
    schema: type[BaseModel]
    json_function: Callable[[ColumnElement[Any]], ColumnElement[str]]
    newest: tuple[Column[Any], ...]
    expressions: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    owner: Column[Any] | None = None
    admins_see_all: bool = True
    hidden: Column[Any] | None = None

    @cached_property
    def public(self) -> dict[str, FieldType]:
        """The public fields and their types."""
        return field_types(self.schema)

    def may_see_deleted(self, caller: Caller) -> bool:
        """Whether the caller may ask for deleted rows."""
        return caller.is_admin and "deleted_at" in self.public

    def page(self, query_string: str, caller: Caller) -> str:
        """Return the response's JSON text.

        Raises: InvalidInput if the query is not allowed or takes too long.
        """
        query = parse(query_string, self.public, may_see_deleted=self.may_see_deleted(caller))
        shape, values = self._split(query, caller)
        began = time.monotonic()
        try:
            rows = database.query(_page_sql(self, shape), values)
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
            total = self._count(shape, values) if is_quick else None
            counted = _totals(query, *_bounded(total, known))
        keys = [f"key{i}" for i in range(self._key_count(shape))]
        cursor = listing_cursor.encode(query, [rows[-1][key] for key in keys]) if more else None
        members = {name: json.dumps(value) for name, value in {**counted, "next_cursor": cursor}.items()}
        members[self.name] = f"[{', '.join(row['body'] for row in rows)}]"
        return "{" + ", ".join(f'"{name}": {text}' for name, text in members.items()) + "}"

    def _split(self, query: Query, caller: Caller) -> tuple[Shape, dict[str, Any]]:
        """Split a query into its shape and the values of its parameters."""
        filters, values = list[Filter](), dict[str, Any]()
        for number, wanted in enumerate(query.filters):
            given = wanted.value if isinstance(wanted.value, list) else [wanted.value]
            names = [None if one is None else f"filter{number}_{i}" for i, one in enumerate(given)]
            values.update((name, one) for name, one in zip(names, given, strict=True) if name)
            filters.append(Filter(wanted.field, wanted.operator, tuple(names)))
        is_owners = self.owner is not None and not (caller.is_admin and self.admins_see_all)
        shape = Shape(
            fields=query.fields,
            filters=tuple(filters),
            sort=query.sort,
            is_owners=is_owners,
            hides=self.hidden is not None and not query.deleted,
            starts="cursor" if query.cursor is not None else "offset" if query.page > 1 else "top",
        )
        if is_owners:
            values["owner"] = caller.id
        if query.cursor is not None:
            position = listing_cursor.decode(query, self._key_count(shape))
            values.update((f"position{i}", text) for i, text in enumerate(position))
        elif query.page > 1:
            values["skipped"] = (query.page - 1) * query.page_size
        return shape, {**values, "wanted": query.page_size + 1}

    def _key_count(self, shape: Shape) -> int:
        return len(self._sort_keys(shape))

    def _select(self, shape: Shape) -> Statement:
        keys = self._sort_keys(shape)
        positions = [cast(key, Text).label(f"key{i}") for i, (key, _) in enumerate(keys)]
        matching = self._conditions(shape)
        statement: Statement = select(self._body(shape), *positions).select_from(self.table).where(*matching)
        if shape.starts == "cursor":
            statement = statement.where(_after(keys))
        elif shape.starts == "offset":
            statement = statement.offset(bindparam("skipped", type_=BigInteger))
        order = [key.desc() if descending else key.asc() for key, descending in keys]
        return statement.order_by(*order).limit(bindparam("wanted", type_=BigInteger))

    def _body(self, shape: Shape) -> ColumnElement[str]:
        """Return a row as JSON: as `json_function` makes it, or only the fields that the query names."""
        if not shape.fields:
            return self.json_function(literal_column(self.table.name)).label("body")
        pairs = [
            part
            for name in shape.fields
            for part in (literal_column(f"'{name}'"), _presented(self._expression(name)))
        ]
        return cast(func.json_build_object(*pairs), Text).label("body")

    def _select_count(self, shape: Shape) -> Statement:
        matching = self._conditions(shape)
        matches: Statement = select(literal_column("1")).select_from(self.table).where(*matching)
        counted = matches.limit(bindparam("count_limit", type_=BigInteger)).subquery()
        return select(func.count().label("total")).select_from(counted)

    def _count(self, shape: Shape, values: Mapping[str, Any]) -> int | None:
        """Count the matching rows, up to COUNT_LIMIT + 1; None if the count times out."""
        try:
            rows = database.query(_count_sql(self, shape), {**values, "count_limit": COUNT_LIMIT + 1})
        except StatementTimeout:
            return None
        total: int = rows[0]["total"]
        return total

    def _conditions(self, shape: Shape) -> list[ColumnElement[bool]]:
        conditions = [_condition(self._expression(f.field), f) for f in shape.filters]
        if self.owner is not None and shape.is_owners:
            conditions.append(self.owner == bindparam("owner", type_=Uuid))
        if self.hidden is not None and shape.hides:
            conditions.append(self.hidden.is_(None))
        return conditions

    def _sort_keys(self, shape: Shape) -> list[SortKey]:
        if shape.sort in ((), tuple((column.name, True) for column in self.newest[:-1])):
            return [(column, True) for column in self.newest]
        keys = list[SortKey]()
        for name, descending in shape.sort:
            expression = self._expression(name)
            if self.public[name].nullable:
                keys.append((expression.is_(None), False))
                expression = func.coalesce(
                    expression, cast(literal_column(_zero(expression)), expression.type)
                )
            keys.append((expression, descending))
        keys.append((self.newest[-1], True))
        # Cast ids to text; otherwise Postgres may scan the primary-key index across all users.
        return [(cast(key, Text) if shape.is_owners and _is_id(key) else key, down) for key, down in keys]

    def _expression(self, name: str) -> ColumnElement[Any]:
        return self.expressions[name] if name in self.expressions else self.table.c[name]


@lru_cache(maxsize=256)
def _page_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of a page. Cached, because building it takes longer than running it."""
    return _text(listing._select(shape))


@lru_cache(maxsize=256)
def _count_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL that counts a list."""
    return _text(listing._select_count(shape))


def _is_id(key: ColumnElement[Any]) -> bool:
    return isinstance(key, Column) and isinstance(key.type, Uuid)


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


def _text(statement: Statement) -> str:
    return str(statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))


def _presented(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Format a value for the API: times as in RFC 3339, money without trailing zeros."""
    if isinstance(expression.type, DateTime):
        return func.rfc3339(expression)
    return func.trim_scale(expression) if isinstance(expression.type, Numeric) else expression


def _condition(expression: ColumnElement[Any], wanted: Filter) -> ColumnElement[bool]:
    """Return the SQL condition of a filter whose value is a tuple of parameter names, with None for null."""
    if wanted.operator == "in":
        return or_(*(_condition(expression, Filter(wanted.field, "eq", (name,))) for name in wanted.value))
    (name,) = wanted.value
    if isinstance(expression.type, JSONB):
        if name:
            return expression == cast(bindparam(name, type_=Text), JSONB)
        # The API shows SQL null as JSON null, so the filter matches both.
        null = cast(literal_column("'null'"), JSONB)
        return func.coalesce(expression, null) == null
    if name is None:
        return expression.is_(None)
    value = bindparam(name, type_=expression.type)
    if wanted.operator == "like":
        return expression.ilike(value)
    compared: ColumnElement[bool] = _COMPARISONS[wanted.operator](expression, value)
    return compared


def _after(keys: Sequence[SortKey]) -> ColumnElement[bool]:
    """Return the condition for rows after a position: one row comparison if an index can serve it."""
    values = [cast(bindparam(f"position{i}", type_=Text), key.type) for i, (key, _) in enumerate(keys)]
    directions = {descending for _, descending in keys}
    if len(directions) == 1:
        row, at = tuple_(*(key for key, _ in keys)), tuple_(*values)
        return row < at if directions == {True} else row > at
    return or_(
        *(
            and_(
                *(keys[j][0] == values[j] for j in range(i)),
                key < values[i] if descending else key > values[i],
            )
            for i, (key, descending) in enumerate(keys)
        )
    )


def _zero(expression: ColumnElement[Any]) -> str:
    return next(f"'{zero}'" for kind, zero in _ZERO.items() if isinstance(expression.type, kind))
