"""Parse cells of arguments: JSON lists of numbers."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import compress
from typing import Any

from shared.operations.catalog import DECIMAL128

PLAIN_CELL_LIMIT = DECIMAL128.prec
"""Characters of a plain cell. None of its numbers has more digits than decimal128 holds."""
Numbers = list[int | Decimal]

_PLAIN_CELLS = re.compile(r"\[[-0-9., ]*+\](?:,\n\[[-0-9., ]*+\])*+")
_NUMBER = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?"
_PLAIN_CELL = re.compile(rf"\[ *(?:{_NUMBER}(?: *, *{_NUMBER})*)? *\]")
_ZERO_FOR_DIGIT = str.maketrans("123456789", "000000000")
_TOO_MANY_DIGITS = "0" * 16
"""An int of so many digits may not be below INTEGER_LIMIT."""


def parse_cells(texts: Sequence[str]) -> list[Numbers | None]:
    """Parse plain cells together, which takes a quarter of the time. Others yield None.

    A plain cell is a list of numbers without exponents. It is recorded as it was sent, because it holds no
    character that JSON or decimal128 would change.
    """
    joined = ",\n".join(texts)
    if (
        _PLAIN_CELLS.fullmatch(joined)
        and max(map(len, texts)) <= PLAIN_CELL_LIMIT
        and _TOO_MANY_DIGITS not in joined.translate(_ZERO_FOR_DIGIT)
    ):
        try:
            # No cell holds a line feed, so the lists are separated where the cells are.
            return _parse_plain(joined)
        except ValueError:
            pass  # one of the numbers is not JSON, such as 01
    plain = [len(text) <= PLAIN_CELL_LIMIT and _PLAIN_CELL.fullmatch(text) is not None for text in texts]
    lists = iter(_parse_plain(",".join(compress(texts, plain))))
    return [next(lists) if is_plain else None for is_plain in plain]


def parse_cell(text: str) -> list[Decimal] | str:
    """Parse any cell. Return its numbers, or the reason to reject its row."""
    try:
        numbers = _loads(text, parse_int=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return "the arguments are not a JSON list"
    if not isinstance(numbers, list):
        return "the arguments are not a JSON list"
    for index, number in enumerate(numbers):
        if type(number) is not Decimal:
            return f"argument {index + 1} is not a number"
    return numbers


def is_plain(text: str) -> bool:
    """Whether a cell that `parse_cell` accepts can be recorded as it was sent."""
    return len(text) <= PLAIN_CELL_LIMIT and not text.strip("[0123456789.-, ]")


def _parse_plain(joined: str) -> list[Numbers | None]:
    return list(_loads(f"[{joined}]", parse_int=int))


def _loads(text: str, parse_int: type) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=parse_int, parse_constant=_reject_constant)


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
