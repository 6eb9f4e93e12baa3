"""JSON with exact numbers, and query strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec

T = TypeVar("T")
Number = int | float | Decimal | str
"""A number; a string must contain a decimal number."""
Value = str | int | float | Decimal | UUID | datetime | bool | None
"""The value of a parameter. None stands for null."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def to_json(value: Any) -> bytes:
    """Return a model, or a container of models, as JSON in one line, with exact numbers."""
    return _encoder.encode(value)


def decode(content: bytes, model: type[T]) -> T:
    """Parse JSON. Untyped numbers are int or Decimal.

    Raises: msgspec.DecodeError.
    """
    return cast(T, _decoder(cast(Any, model)).decode(content))


@lru_cache(maxsize=256)
def _decoder(model: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(model, float_hook=Decimal)


def number(value: Number) -> Decimal:
    """Return a number as an exact decimal. A float becomes its shortest decimal form.

    Raises: ValueError, TypeError.
    """
    if isinstance(value, bool) or not isinstance(value, Number):
        raise TypeError(f"{value!r} is not a number")
    try:
        exact = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not exact.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return exact


def query_string(values: Mapping[str, Value | Iterable[Value]]) -> dict[str, str]:
    """Return the parameters of a query string. Several values become a list with commas."""
    return {name: _text(value) for name, value in values.items()}


def _text(value: Value | Iterable[Value]) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str | int | float | UUID):
        return str(value)
    return ",".join(_text(one) for one in value)


def rfc3339(time: datetime) -> str:
    """Return a time in UTC as text. Raises: ValueError if the time has no time zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone. Use datetime.now(UTC), or .astimezone().")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
