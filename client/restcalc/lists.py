"""The parameters of lists, and the types of their pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast, get_type_hints

import msgspec

from restcalc.codec import Value, query_string
from restcalc.models import Page

Names = str | Iterable[str]
"""Names of fields: "id,amount" or ["id", "amount"]."""
Filter = Value | Iterable[Value]
"""The value of a filter; several values for `__in`."""


def list_query(filters: Mapping[str, Filter], **options: Filter) -> dict[str, str]:
    """Return the query string of a list, without the options that are None. A filter of None means null."""
    given = {name: value for name, value in options.items() if value is not None}
    return query_string({**filters, **given})


@lru_cache(maxsize=256)
def page_type(model: type[Any], resource: str, fields: str | None) -> type[Page[Any]]:
    """Return the type of a list's pages. `fields` are the only ones that its rows have."""
    row = model if fields is None else _selection(model, fields.split(","))
    rows = ("rows", list[row], msgspec.field(name=resource))  # type: ignore[valid-type]
    return cast(
        type[Page[Any]], msgspec.defstruct(f"{model.__name__}Page", [rows], bases=(Page,), frozen=True)
    )


def _selection(model: type[Any], fields: list[str]) -> type[Any]:
    """Return a model with some of the fields. The service rejects the names of unknown ones."""
    types = get_type_hints(model)
    return msgspec.defstruct(
        model.__name__, [(name, types[name]) for name in fields if name in types], frozen=True
    )
