"""Write a chunk's records in the binary format of COPY (PostgreSQL manual, COPY, "Binary Format").

Postgres parses no UUID, number or date, and so stores a record without its indexes in half of the time of the
text format. A block is built as text in which each character is one byte (Latin-1), because Python formats
text faster than bytes. The JSON of arguments and results is ASCII.
"""

import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID

from shared.ids import uuid7_pieces
from worker.blocks import Block

COPY_RECORDS = (
    "COPY records (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date,"
    " task_id, task_row) FROM STDIN (FORMAT binary)"
)
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
UNITS = 10_000
"""Units of money in one credit: the columns' scale is 4. It is also the base of a numeric's digits."""
_COLUMNS = 10
_SCALE = 4
_TWO_DIGITS = UNITS**2


class RecordCopy:
    """Writes the records of one chunk.

    Args:
        prices: the id and the cost of each priced operation.
        balance: the balance before the chunk in units of money. No later balance is higher.
        microseconds: the records' date, in microseconds since the year 2000.
        rows: the most rows that the chunk has.
    """

    def __init__(
        self,
        user_id: UUID,
        task_id: UUID,
        prices: Mapping[str, tuple[UUID, Decimal]],
        balance: int,
        microseconds: int,
        rows: int,
    ) -> None:
        head, self._middles, tail = uuid7_pieces(rows)
        self._start = _text("hi", _COLUMNS, 16) + head
        self._before = {
            name: tail + _field(user_id.bytes) + _field(id.bytes) for name, (id, _) in prices.items()
        }
        digits = max(2, _digits_of(balance))
        balance_start = _text("i", 8 + 2 * digits) + _numeric_start(digits)
        self._after = {
            name: _field(_numeric(int(cost * UNITS))) + balance_start for name, (_, cost) in prices.items()
        }
        self._upper = _UpperDigits(digits - 2)
        self._end = _field(_text("q", microseconds)) + _field(task_id.bytes) + "\0\0\0\x08"

    def block(self, block: Block, rows: int, balances: Sequence[int], first_row: int) -> bytes:
        """Return the records of the first `rows` rows of a block. A rejected row has none.

        Args:
            balances: the balance before the block and after each row, in units of money.
            first_row: the number of the first row.
        """
        before, after, end, upper = self._before, self._after, self._end, self._upper
        digits, size = _digits(), _JSON_STARTS
        numbers = _text(f"{rows}q", *range(first_row, first_row + rows))
        records = [
            f"{middle}{before[operation]}{size[len(sent)]}{sent}{size[len(result)]}{result}{after[operation]}"
            f"{upper[balance // _TWO_DIGITS]}{digits[balance // UNITS % UNITS]}{digits[balance % UNITS]}"
            f"{end}{numbers[at : at + 8]}"
            for at, operation, sent, result, balance, middle in zip(
                range(0, len(numbers), 8),
                block.operations,
                block.arguments,
                block.results,
                islice(balances, 1, None),
                self._middles,
                strict=False,
            )
            if operation
        ]
        return (self._start + self._start.join(records)).encode("latin-1") if records else b""


class _UpperDigits(dict[int, str]):
    """A number's digits as `_numeric` writes them, remembered by the number."""

    def __init__(self, digits: int) -> None:
        self._digits = digits

    def __missing__(self, number: int) -> str:
        self[number] = text = _digit_text(number, self._digits)
        return text


class _JsonStarts(dict[int, str]):
    """What precedes a JSON text of a length: the field's size in bytes and the version of jsonb's format."""

    def __missing__(self, length: int) -> str:
        self[length] = text = _text("i", length + 1) + "\1"
        return text


_JSON_STARTS = _JsonStarts()


def _text(form: str, *values: Any) -> str:
    return struct.pack("!" + form, *values).decode("latin-1")


def _field(value: bytes | str) -> str:
    text = value if isinstance(value, str) else value.decode("latin-1")
    return _text("i", len(text)) + text


def _numeric(units: int) -> str:
    digits = _digits_of(units)
    return _numeric_start(digits) + _digit_text(units, digits)


def _numeric_start(digits: int) -> str:
    """Return the start of a number that is not negative: of its digits, the last one is after the point."""
    return _text("hhhh", digits, digits - 2, 0, _SCALE)


def _digits_of(units: int) -> int:
    """Return how many digits of base 10,000 a number has."""
    return -(-len(str(units)) // _SCALE)


def _digit_text(number: int, digits: int) -> str:
    places = reversed(range(digits))
    return _text(f"{digits}h", *(number // UNITS**place % UNITS for place in places))


@cache  # computed on first use: only the batch needs them
def _digits() -> list[str]:
    """Return each digit as two bytes."""
    return [_digit_text(number, 1) for number in range(UNITS)]
