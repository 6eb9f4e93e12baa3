"""Parse cells of arguments: JSON lists of numbers."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import compress

from shared.operations.catalog import DECIMAL128

UNCHANGED_CELL_LIMIT = DECIMAL128.prec
"""Characters of a cell that is recorded as it was sent: none of its numbers can have too many digits."""
Numbers = list[int | Decimal]

_PLAIN_CELLS = re.compile(r"\[[-0-9., ]*+\](?:,\n\[[-0-9., ]*+\])*+")
_NUMBER = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?"
_PLAIN_CELL = re.compile(rf"\[ *(?:{_NUMBER}(?: *, *{_NUMBER})*)? *\]")
_ZERO_FOR_DIGIT = str.maketrans("123456789", "000000000")
_TOO_MANY_DIGITS = "0" * 16
"""An int of so many digits may not be below INTEGER_LIMIT."""


def parse_cells(texts: Sequence[str]) -> list[Numbers | None]:
    """Parse plain cells together, which takes a quarter of the time. Others yield None.

    A plain cell is a list of numbers without exponents. It is recorded as it was sent: decimal128 holds its
    numbers, and Postgres changes only the spaces.
    """
    joined = ",\n".join(texts)
    if _PLAIN_CELLS.fullmatch(joined) and _TOO_MANY_DIGITS not in joined.translate(_ZERO_FOR_DIGIT):
        # No cell holds a line feed, so the lists are separated where the cells are.
        with suppress(ValueError):  # if one of the numbers is not JSON, such as 01
            return _without_long_zeros(texts, _parse_plain(joined))
    plain = list(map(_is_plain_list, texts))
    lists = iter(_parse_plain(",".join(compress(texts, plain))))
    return _without_long_zeros(texts, [next(lists) if is_plain else None for is_plain in plain])


def _is_plain_list(text: str) -> bool:
    return _PLAIN_CELL.fullmatch(text) is not None and (
        len(text) <= UNCHANGED_CELL_LIMIT or _TOO_MANY_DIGITS not in text.translate(_ZERO_FOR_DIGIT)
    )


def _without_long_zeros(texts: Sequence[str], lists: list[Numbers | None]) -> list[Numbers | None]:
    """Replace long lists that contain a zero: `arguments_json` drops its decimal places."""
    if max(map(len, texts), default=0) > UNCHANGED_CELL_LIMIT:
        for index, text in enumerate(texts):
            if len(text) > UNCHANGED_CELL_LIMIT and 0 in (lists[index] or ()):
                lists[index] = None
    return lists


def parse_cell(text: str) -> list[Decimal] | str:
    """Parse any cell. Return its numbers, or the reason to reject its row."""
    try:
        numbers = _EXACT.decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        return "the arguments are not a JSON list"
    if not isinstance(numbers, list):
        return "the arguments are not a JSON list"
    for index, number in enumerate(numbers):
        if type(number) is not Decimal:
            return f"argument {index + 1} is not a number"
    return numbers


def is_unchanged(text: str) -> bool:
    """Whether a cell that `parse_cell` accepts is recorded as it was sent."""
    return len(text) <= UNCHANGED_CELL_LIMIT and not text.strip("[0123456789.-, ]")


def _parse_plain(joined: str) -> list[Numbers | None]:
    return list(_PLAIN.decode(f"[{joined}]"))


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_PLAIN = json.JSONDecoder(parse_float=Decimal)
_EXACT = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_reject_constant)
