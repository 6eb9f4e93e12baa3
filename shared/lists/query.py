"""Parse and validate the query string of a list.

The parameters are `page`, `page_size`, `cursor`, `fields`, `sort`, `deleted`, `search` and filters. A filter
is the name of a public field for equality, or the name with `__gte`, `__lte`, `__gt`, `__lt`, `__in` or
`__like`, if its type allows.
"""

import json
import types
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeAliasType

from shared.errors import Fault, InvalidInput
from shared.schemas.field_types import fold_email

DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 10, 100
LARGEST_PAGE = 1_000_000
"""Postgres reads and skips all rows before a numbered page, so the number is limited. A cursor skips none."""
LONGEST_SEARCH = 200
"""Maximum number of characters of `search`."""
VALUES_LIMIT = 100
"""The limit of values in one `__in`, and of parameters in one query string."""

_ORDERED = ("gte", "lte", "gt", "lt")


@dataclass(frozen=True, slots=True)
class FieldType:
    """The Python type of a public field (`object` means any JSON), and whether it may be null."""

    python: type
    nullable: bool
    choices: tuple[str, ...] = ()
    folds: bool = False
    """Whether the text is an e-mail, which is stored folded."""

    @property
    def operators(self) -> tuple[str, ...]:
        """The filter operators that the type allows besides equality."""
        if self.python is object:
            return ()
        if self.choices or self.python is UUID:
            return ("in",)
        return (*_ORDERED, "in", "like") if self.python is str else (*_ORDERED, "in")

    def parse(self, text: str) -> Any:
        """Parse a value. Raises: ValueError, whose message names the expected type."""
        if self.nullable and text == "null":
            return None
        if self.choices and text not in self.choices:
            raise ValueError(f"expected one of {', '.join(self.choices)}")
        if "\0" in text:
            raise ValueError("expected text without NUL")
        if self.folds:
            return fold_email(text)
        return _PARSERS[self.python](text)


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition `field operator value`. The operator is `eq` or one of FieldType.operators."""

    field: str
    operator: str
    value: Any


@dataclass(slots=True)
class Query:
    """A parsed query string."""

    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
    fields: tuple[str, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    """Pairs of a field and whether it sorts in descending order."""
    deleted: bool = False
    search: str | None = None
    filters: list[Filter] = field(default_factory=list)


def field_types(model: type[BaseModel]) -> dict[str, FieldType]:
    """Return the public fields of a schema and their types."""
    return {
        name: replace(_field_type(info.annotation), folds=fold_email in info.metadata)
        for name, info in model.model_fields.items()
    }


def parse(
    query_string: str,
    public: dict[str, FieldType],
    *,
    may_see_deleted: bool = False,
    may_search: bool = False,
) -> Query:
    """Parse a query string.

    Raises:
        InvalidInput: lists every unknown name and every invalid value.
    """
    query, faults = Query(), list[Fault]()
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=VALUES_LIMIT)
    except UnicodeDecodeError:
        raise InvalidInput.at("#/query", "The query string is not UTF-8.") from None
    except ValueError:
        raise InvalidInput.at(
            "#/query", f"The query string has more than {VALUES_LIMIT} parameters."
        ) from None
    seen = set[str]()
    for name, text in pairs:
        try:
            if name in seen:
                raise ValueError("the parameter occurs twice")
            seen.add(name)
            if name == "search" and may_search:
                query.search = _search_text(text)
            elif name == "deleted" and may_see_deleted:
                query.deleted = _boolean(text)
            else:
                _read(query, name, text, public)
        except ValueError as error:
            faults.append({"pointer": f"#/query/{name[:64]}", "detail": f"{name[:64]}: {error}"})
    if "cursor" in seen and "page" in seen:
        faults.append({"pointer": "#/query/cursor", "detail": "cursor: give a page or a cursor, not both"})
    if "search" in seen and may_search:
        faults += _search_faults(query)
    if faults:
        raise InvalidInput("; ".join(fault["detail"] for fault in faults), errors=faults)
    return query


def _read(query: Query, name: str, text: str, public: dict[str, FieldType]) -> None:
    match name:
        case "page":
            query.page = _bounded(text, LARGEST_PAGE)
        case "page_size":
            query.page_size = _bounded(text, LARGEST_PAGE_SIZE)
        case "cursor":
            query.cursor = text
        case "fields":
            query.fields = tuple(dict.fromkeys(_known(part, public) for part in text.split(",")))
        case "sort":
            query.sort = tuple(_sort_key(part, public) for part in text.split(","))
            if len({name for name, _ in query.sort}) < len(query.sort):
                raise ValueError("a field occurs twice")
        case _:
            query.filters.append(_filter(name, text, public))


def _search_text(text: str) -> str:
    if not 1 <= len(text) <= LONGEST_SEARCH or "\0" in text:
        raise ValueError(f"expected 1 to {LONGEST_SEARCH} characters without NUL")
    return text


def _search_faults(query: Query) -> list[Fault]:
    """Return the faults of parameters that a search does not support."""
    faults = list[Fault]()
    if query.sort:
        faults.append({"pointer": "#/query/sort", "detail": "sort: a search returns the newest rows first"})
    if query.page > 1:
        faults.append({"pointer": "#/query/page", "detail": "page: follow the cursor of a search"})
    return faults


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _filter(name: str, text: str, public: dict[str, FieldType]) -> Filter:
    plain, _, operator = name.partition("__")
    kind = public.get(plain)
    if kind is None or (operator and operator not in kind.operators):
        raise ValueError("unknown parameter")
    if operator == "in":
        parts = text.split(",")
        if len(parts) > VALUES_LIMIT:
            raise ValueError(f"at most {VALUES_LIMIT} values")
        return Filter(plain, operator, [kind.parse(part) for part in parts])
    if operator == "like" and (len(text) - len(text.rstrip("\\"))) % 2:
        raise ValueError("remove the \\ at the end, or write \\\\ for a backslash")
    value = kind.parse(text)
    if value is None and operator:
        raise ValueError("null cannot be compared; use the field name alone")
    return Filter(plain, operator or "eq", value)


def _known(name: str, public: dict[str, FieldType]) -> str:
    if name not in public:
        raise ValueError(f"unknown field {name[:64]!r}. The fields are {', '.join(public)}")
    return name


def _sort_key(part: str, public: dict[str, FieldType]) -> tuple[str, bool]:
    name = _known(part.removeprefix("-"), public)
    if public[name].python is object:
        raise ValueError(f"{name} has no order")
    return name, part.startswith("-")


def _bounded(text: str, limit: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= limit):
        raise ValueError(f"expected a whole number from 1 to {limit}")
    return int(text)


def _field_type(annotation: Any) -> FieldType:
    if isinstance(annotation, TypeAliasType):
        return _field_type(annotation.__value__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _field_type(arguments[0])
    if origin is Literal:
        return FieldType(str, False, arguments)
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in arguments if a is not type(None))
        kind = _field_type(inner)
        return FieldType(kind.python, True, kind.choices)
    if annotation is bool:
        return FieldType(bool, False, ("true", "false"))
    if annotation in _PARSERS:
        return FieldType(annotation, False)
    return FieldType(object, True)


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError("expected a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 308:
        raise ValueError("expected a finite number")
    return number


def _integer(text: str) -> int:
    if not text.removeprefix("-").isdecimal() or len(text) > 19:
        raise ValueError("expected a whole number")
    return int(text)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("expected a UUID") from None


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError("expected an RFC 3339 time such as 2026-11-23T07:00:00Z") from None


def _json(text: str) -> str:
    """Return JSON text as it is and other text as a JSON string: `=15` and `=abc` both work.

    Numbers stay text: a float would change the digits that the filter compares.
    """
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return json.dumps(text)
    return text


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_PARSERS: dict[type, Any] = {
    UUID: _uuid,
    str: str,
    Decimal: _number,
    float: _number,
    int: _integer,
    datetime: _time,
    object: _json,
    bool: lambda text: text == "true",
}
