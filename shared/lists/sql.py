"""Build the SQL of a list with SQLAlchemy Core. Postgres returns JSON, so that money keeps all its digits."""

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.sql import literal_column
from sqlalchemy.types import JSON, BigInteger, DateTime, Numeric, Uuid

from shared.lists.listing import Listing
from shared.lists.query import Filter
from shared.lists.shape import Shape
from shared.lists.sources import SOURCES, Source

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


@lru_cache(maxsize=256)
def page_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of a page. Cached, because building it takes longer than running it."""
    return _text(_select(SOURCES[listing.name], shape))


def prepared_page_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of a page for a prepared statement, with one plan that suits all callers.

    Each parameter is in a subquery, so Postgres plans without its value. From the sixth run on Postgres keeps
    the plan, because a plan for the values would not cost less. It assumes that an unknown LIMIT returns a
    tenth of the rows, so it reads the rows in the order of an index instead of sorting them.

    The JSON is built from the fields, because Postgres does not inline the JSON functions. Planning the
    fields takes longer than calling the function for ten rows, so statements that are not prepared call it.
    """
    text = page_sql(listing, replace(shape, fields=tuple(listing.public)))
    return re.sub(r":\w+::\w+", r"(SELECT \g<0>)", text)


@lru_cache(maxsize=256)
def count_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL that counts a list, up to the parameter `count_limit`."""
    return _text(_select_count(SOURCES[listing.name], shape))


@lru_cache(maxsize=256)
def search_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of the rows that contain `pattern`, among the next `window` rows of the list."""
    return _text(_select_matches(SOURCES[listing.name], shape))


@lru_cache(maxsize=256)
def window_end_sql(listing: Listing, shape: Shape) -> str:
    """Return the SQL of the sort keys of row number `window`, or of no row if the list is shorter."""
    source = SOURCES[listing.name]
    examined = _ordered(source, shape, select(*_positions(source, shape)).select_from(source.table))
    last = examined.offset(bindparam("window", type_=BigInteger) - literal_column("1")).limit(
        literal_column("1")
    )
    return _text(last)


@lru_cache(maxsize=256)
def export_sql(listing: Listing, shape: Shape, *, is_csv: bool, has_end: bool) -> str:
    """Return the SQL of the rows of an export, as CSV cells or JSON.

    Args:
        has_end: whether the rows end at a position, the parameters `end0`, `end1` …
    """
    source = SOURCES[listing.name]
    columns = _cells(source, shape) if is_csv else [_body(source, shape)]
    statement = _ordered(source, shape, select(*columns).select_from(source.table))
    return _text(statement.where(not_(_after(_sort_keys(source, shape), "end"))) if has_end else statement)


def key_count(listing: Listing, shape: Shape) -> int:
    """Return the number of keys that order a list."""
    return len(_sort_keys(SOURCES[listing.name], shape))


def _sort_keys(source: Source, shape: Shape) -> list[SortKey]:
    """Return the keys that order a list, each with whether it descends. The last key is unique."""
    if shape.is_newest_first(source.listing):
        return [(column, True) for column in source.newest]
    keys = list[SortKey]()
    for name, descending in shape.sort:
        expression = source.expression(name)
        if source.listing.public[name].nullable:
            keys.append((expression.is_(None), False))
            expression = func.coalesce(expression, cast(literal_column(_zero(expression)), expression.type))
        keys.append((expression, descending))
    keys.append((source.newest[-1], True))
    # Cast ids to text; otherwise Postgres may scan the primary-key index across all users.
    return [(cast(key, Text) if shape.is_owners and _is_id(key) else key, down) for key, down in keys]


def _select(source: Source, shape: Shape) -> Statement:
    columns = (_body(source, shape), *_positions(source, shape))
    statement = _ordered(source, shape, select(*columns).select_from(source.table))
    if shape.starts == "offset":
        statement = statement.offset(bindparam("skipped", type_=BigInteger))
    return statement.limit(bindparam("wanted", type_=BigInteger))


def _select_matches(source: Source, shape: Shape) -> Statement:
    assert source.contains is not None  # noqa: S101  (for mypy)
    matches = source.contains(bindparam("pattern", type_=Text)).label("matches")
    examined = _ordered(source, shape, select(*source.newest, matches).select_from(source.table))
    window = examined.limit(bindparam("window", type_=BigInteger)).subquery("examined")
    newest = [window.c[column.name].desc() for column in source.newest]
    key = source.newest[-1]
    found = select(window.c[key.name]).where(window.c.matches).order_by(*newest)
    wanted = found.limit(bindparam("wanted", type_=BigInteger))
    statement: Statement = select(_body(source, shape), *_positions(source, shape))
    return (
        statement.select_from(source.table)
        .where(key.in_(wanted))
        .order_by(*(column.desc() for column in source.newest))
    )


def _ordered(source: Source, shape: Shape, statement: Statement) -> Statement:
    """Select the rows that match the filters and follow the cursor, in the list's order."""
    keys = _sort_keys(source, shape)
    statement = statement.where(*_conditions(source, shape))
    if shape.starts == "cursor":
        statement = statement.where(_after(keys))
    if _is_by_owner(source, shape):
        statement = statement.order_by(source.by_owner)
    return statement.order_by(*(key.desc() if descending else key.asc() for key, descending in keys))


def _is_by_owner(source: Source, shape: Shape) -> bool:
    return source.by_owner is not None and shape.is_owners and shape.is_newest_first(source.listing)


def _positions(source: Source, shape: Shape) -> list[ColumnElement[Any]]:
    return [cast(key, Text).label(f"key{i}") for i, (key, _) in enumerate(_sort_keys(source, shape))]


def _body(source: Source, shape: Shape) -> ColumnElement[str]:
    """Return a row as JSON: as `json_function` makes it, or only the fields that the query names."""
    if not shape.fields:
        return source.json_function(literal_column(source.table.name)).label("body")
    pairs = [
        part
        for name in shape.fields
        for part in (literal_column(f"'{name}'"), _presented(source.expression(name)))
    ]
    return cast(func.json_build_object(*pairs), Text).label("body")


def _cells(source: Source, shape: Shape) -> list[ColumnElement[Any]]:
    """Return the fields as cells of a CSV file, in which no text is a formula."""
    cells = list[ColumnElement[Any]]()
    for name in shape.fields:
        expression = source.expression(name)
        if isinstance(expression.type, JSONB):
            cells.append(func.csv_json(expression))
        elif isinstance(expression.type, Text):
            cells.append(func.csv_text(expression))
        else:
            cells.append(_presented(expression))
    return cells


def _select_count(source: Source, shape: Shape) -> Statement:
    matching = _conditions(source, shape)
    matches: Statement = select(literal_column("1")).select_from(source.table).where(*matching)
    counted = matches.limit(bindparam("count_limit", type_=BigInteger)).subquery()
    return select(func.count().label("total")).select_from(counted)


def _conditions(source: Source, shape: Shape) -> list[ColumnElement[bool]]:
    conditions = [_filter_condition(source, wanted) for wanted in shape.filters]
    if source.owner is not None and shape.is_owners:
        owner = bindparam("owner", type_=Uuid)
        # If one owner has a large share of the rows, Postgres may read the index of all users' newest rows.
        # With `= ANY` it can't assume a single owner, so it chooses the index that begins with the owner.
        conditions.append(source.owner == (any_(array([owner])) if _is_by_owner(source, shape) else owner))
    if source.hidden is not None and shape.hides:
        conditions.append(source.hidden.is_(None))
    return conditions


def _filter_condition(source: Source, wanted: Filter) -> ColumnElement[bool]:
    if wanted.field not in source.lookups:
        return _condition(source.expression(wanted.field), wanted)
    reference, column = source.lookups[wanted.field]
    return reference.in_(select(column.table.c.id).where(_condition(column, wanted)))


def _is_id(key: ColumnElement[Any]) -> bool:
    return isinstance(key, Column) and isinstance(key.type, Uuid)


def _text(statement: Statement) -> str:
    return str(statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))


def _presented(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Format a value for the API: times as in RFC 3339, money without trailing zeros, JSON with spaces."""
    if isinstance(expression.type, DateTime):
        return func.rfc3339(expression)
    if isinstance(expression.type, JSONB):
        return func.spaced_json(expression)
    return func.trim_scale(expression) if isinstance(expression.type, Numeric) else expression


def _condition(expression: ColumnElement[Any], wanted: Filter) -> ColumnElement[bool]:
    """Return the SQL condition of a filter whose value is a tuple of parameter names, with None for null."""
    if wanted.operator == "in":
        return or_(*(_condition(expression, Filter(wanted.field, "eq", (name,))) for name in wanted.value))
    (name,) = wanted.value
    if isinstance(expression.type, JSON):
        if name:
            return cast(expression, JSONB) == cast(bindparam(name, type_=Text), JSONB)
        # The API shows SQL null as JSON null, so the filter matches both.
        null = cast(literal_column("'null'"), JSONB)
        return func.coalesce(cast(expression, JSONB), null) == null
    if name is None:
        return expression.is_(None)
    value = bindparam(name, type_=expression.type)
    if wanted.operator == "like":
        return expression.ilike(value)
    compared: ColumnElement[bool] = _COMPARISONS[wanted.operator](expression, value)
    return compared


def _after(keys: Sequence[SortKey], position: str = "position") -> ColumnElement[bool]:
    """Return the condition for rows after a position: one row comparison if an index can serve it."""
    values = [cast(bindparam(f"{position}{i}", type_=Text), key.type) for i, (key, _) in enumerate(keys)]
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
