"""Lists: one table's rows by page or cursor, filtered, sorted and cut to fields, in one statement.

The statement is built with SQLAlchemy Core and makes the JSON itself, so that money leaves as the
digits that Postgres holds; Python only joins the rows.
"""

import base64
import binascii
import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.sql import literal_column
from sqlalchemy.types import BigInteger, DateTime, Numeric, Uuid

from shared.auth import Caller
from shared.errors import InvalidInput
from shared.listing_query import FieldType, Filter, Query, field_types, parse
from shared.unit_of_work import UnitOfWork

COUNT_LIMIT = 10_000
"""Rows that are counted; a longer list says that it has at least as many."""

_DIALECT = PGDialect_pg8000(paramstyle="named")  # type: ignore[no-untyped-call]
# What stands in for null in a sort, beside the key that says that it is null.
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


@dataclass(frozen=True)
class Listing:
    """One list of the API.

    Args:
        name: of the member that holds the rows.
        table: what it reads.
        schema: the public fields, in their order.
        newest: the columns that order it by default, all descending; the last is unique.
        expressions: public fields that are no column of their own.
        owner: the column of whose rows a client sees; None where all see all.
        admins_see_all: whether an admin sees everybody's.
        hidden: the column that is set on rows that are gone.
    """

    name: str
    table: Table
    schema: type[BaseModel]
    newest: tuple[Column[Any], ...]
    expressions: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    owner: Column[Any] | None = None
    admins_see_all: bool = True
    hidden: Column[Any] | None = None

    @cached_property
    def public(self) -> dict[str, FieldType]:
        return field_types(self.schema)

    def may_see_deleted(self, caller: Caller) -> bool:
        return caller.is_admin and "deleted_at" in self.public

    def page(self, uow: UnitOfWork, query_string: str, caller: Caller) -> str:
        """The answer's JSON text. Raises: InvalidInput for what the query may not ask."""
        query = parse(query_string, self.public, may_see_deleted=self.may_see_deleted(caller))
        keys = self._sort_keys(query)
        matching = self._conditions(query, caller)
        rows = _run(uow, self._select(query, keys, matching))
        more = len(rows) > query.page_size
        rows = rows[: query.page_size]
        cursor = _encode(query, [rows[-1][f"key{i}"] for i in range(len(keys))]) if more else None
        answer = {} if query.cursor is not None else self._count(uow, query, matching, len(rows), more)
        members = json.dumps({**answer, "next_cursor": cursor})
        return f'{members[:-1]}, "{self.name}": [{", ".join(row["body"] for row in rows)}]}}'

    def _select(
        self, query: Query, keys: Sequence[SortKey], matching: Sequence[ColumnElement[bool]]
    ) -> Statement:
        pairs = [
            part
            for name in query.fields or self.public
            for part in (literal_column(f"'{name}'"), _presented(self._expression(name)))
        ]
        positions = [cast(key, Text).label(f"key{i}") for i, (key, _) in enumerate(keys)]
        body = cast(func.json_build_object(*pairs), Text).label("body")
        statement: Statement = select(body, *positions).select_from(self.table).where(*matching)
        if query.cursor is not None:
            statement = statement.where(_after(keys, _decode(query, len(keys))))
        else:
            statement = statement.offset((query.page - 1) * query.page_size)
        order = [key.desc() if descending else key.asc() for key, descending in keys]
        return statement.order_by(*order).limit(query.page_size + 1)

    def _count(
        self,
        uow: UnitOfWork,
        query: Query,
        matching: Sequence[ColumnElement[bool]],
        shown: int,
        more: bool,
    ) -> dict[str, Any]:
        before = (query.page - 1) * query.page_size
        if not more and (shown or query.page == 1):
            total, relation = before + shown, "eq"  # the last page is at hand: no need to count
        else:
            some: Statement = (
                select(literal_column("1")).select_from(self.table).where(*matching).limit(COUNT_LIMIT + 1)
            )
            total = _run(uow, select(func.count().label("total")).select_from(some.subquery()))[0]["total"]
            total, relation = (COUNT_LIMIT, "gte") if total > COUNT_LIMIT else (total, "eq")
        return {"total_pages": -(-total // query.page_size), "total": total, "total_relation": relation}

    def _conditions(self, query: Query, caller: Caller) -> list[ColumnElement[bool]]:
        conditions = [_condition(self._expression(f.field), f) for f in query.filters]
        if self.owner is not None and not (caller.is_admin and self.admins_see_all):
            conditions.append(self.owner == caller.id)
        if self.hidden is not None and not query.deleted:
            conditions.append(self.hidden.is_(None))
        return conditions

    def _sort_keys(self, query: Query) -> list[SortKey]:
        if not query.sort:
            return [(column, True) for column in self.newest]
        keys = list[SortKey]()
        for name, descending in query.sort:
            expression = self._expression(name)
            if self.public[name].nullable:
                keys.append((expression.is_(None), False))
                expression = func.coalesce(
                    expression, cast(literal_column(_zero(expression)), expression.type)
                )
            keys.append((expression, descending))
        return [*keys, (self.newest[-1], True)]

    def _expression(self, name: str) -> ColumnElement[Any]:
        return self.expressions[name] if name in self.expressions else self.table.c[name]


def _run(uow: UnitOfWork, statement: Statement) -> list[dict[str, Any]]:
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return uow.database.query(str(compiled), compiled.params)


def _presented(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """As the API shows it: times in RFC 3339, money without trailing zeros."""
    if isinstance(expression.type, DateTime):
        return func.rfc3339(expression)
    return func.trim_scale(expression) if isinstance(expression.type, Numeric) else expression


def _condition(expression: ColumnElement[Any], wanted: Filter) -> ColumnElement[bool]:
    value = wanted.value
    if isinstance(expression.type, JSONB):
        return expression == cast(literal(value, Text), JSONB)
    if wanted.operator == "in":
        return or_(*(_condition(expression, Filter(wanted.field, "eq", one)) for one in value))
    if wanted.operator == "like":
        return expression.ilike(value)
    if value is None:
        return expression.is_(None)
    compared: ColumnElement[bool] = _COMPARISONS[wanted.operator](expression, value)
    return compared


def _after(keys: Sequence[SortKey], position: Sequence[str]) -> ColumnElement[bool]:
    """What comes after a position: as a row comparison where an index can serve it."""
    values = [cast(literal(text, Text), key.type) for (key, _), text in zip(keys, position, strict=True)]
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


def _encode(query: Query, position: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([query.sort, position]).encode()).decode().rstrip("=")


def _decode(query: Query, length: int) -> list[str]:
    """The position of a cursor made for this very sort. Raises: InvalidInput."""
    try:
        padded = (query.cursor or "") + "=" * (-len(query.cursor or "") % 4)
        sort, position = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        well_formed = (
            sort == [list(key) for key in query.sort]
            and len(position) == length
            and all(isinstance(text, str) and b"\0" not in text.encode() for text in position)
        )
    except (ValueError, TypeError, binascii.Error, RecursionError):
        well_formed = False
    if not well_formed:
        raise InvalidInput.at("#/query/cursor", "cursor: not one that this list gave for this sort")
    return list(position)
