"""Read and write JSON with exact decimals, spaced as Postgres writes it, so that all responses look alike.

`json.dumps` rejects a Decimal, and a float keeps only 15 to 17 digits; credits have up to 18.
"""

import json
from decimal import Decimal
from typing import Any

_encode = json.JSONEncoder(allow_nan=False).encode
_quote = json.encoder.encode_basestring_ascii


class Number(str):
    """A number of parsed JSON, with its digits as they were sent."""

    __slots__ = ()


def loads(text: str) -> Any:
    """Parse JSON. Each number becomes a Number, which `dumps` writes with the same digits."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def dumps(value: Any) -> str:
    """Return a value as JSON, each Decimal with all its digits.

    Raises:
        TypeError, ValueError: JSON can't express the value, such as NaN.
    """
    if isinstance(value, str):
        return str(value) if isinstance(value, Number) else _quote(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a JSON number")
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_quote(str(name))} : {dumps(one)}" for name, one in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([dumps(one) for one in value]) + "]"
    return _encode(value)
