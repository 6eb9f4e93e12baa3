"""Write a chunk's records in the binary format of COPY (PostgreSQL manual, COPY, "Binary Format").

Postgres parses no UUID, number or date, and so stores a record without its indexes in half of the time of the
text format. A block is built as text in which each character is one byte (Latin-1), because Python formats
text faster than bytes. The JSON of arguments and results is ASCII.
"""

import struct
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import chain
from operator import neg
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
_JSON_STARTS = list[str]()
"""What precedes a JSON text, by its length: the field's size and the version of jsonb's format."""


class RecordCopy:
    """Writes the records of one chunk.

    Args:
        prices: the id and the cost of each priced operation.
        balance: the balance before the chunk in units of money. No later balance is higher.
        microseconds: the records' date, in microseconds since the year 2000.
        row: the number of the chunk's first row.
        rows: the most rows that the chunk has.
    """

    def __init__(
        self,
        user_id: UUID,
        task_id: UUID,
        prices: Mapping[str, tuple[UUID, Decimal]],
        balance: int,
        microseconds: int,
        row: int,
        rows: int,
    ) -> None:
        head, self._ids, tail = uuid7_pieces(rows)
        self._start = _text("hi", _COLUMNS, 16) + head
        self._before = {
            name: tail + _field(user_id.bytes) + _field(id.bytes) for name, (id, _) in prices.items()
        }
        self._amounts = {name: _field(_numeric(int(cost * UNITS))) for name, (_, cost) in prices.items()}
        self._digits = max(2, _digits_of(balance))
        self._end = _field(_text("q", microseconds)) + _field(task_id.bytes)
        self._rows = _row_fields(row, rows)
        self._at = 0

    def block(self, block: Block, balances: Sequence[int], rows: int) -> bytes:
        """Return the records of the first `rows` rows of the chunk's next block. A rejected row has none.

        Args:
            balances: the balance before the block and after each row, in units of money.
        """
        records, at = list[str](), 0
        while at < rows:
            # The rows whose balances differ only in the last two digits.
            upper = balances[at + 1] // _TWO_DIGITS
            least = upper * _TWO_DIGITS
            end = bisect_right(balances, -least, at + 1, rows + 1, key=neg) - 1
            lower = [balance - least for balance in balances[at + 1 : end + 1]]
            columns = (
                block.operations[at:end],
                block.arguments[at:end],
                block.results[at:end],
                lower,
                self._ids[self._at + at : self._at + end],
                self._rows[self._at + at : self._at + end],
            )
            try:
                records += self._format(upper, *columns)
            except IndexError:  # a JSON text is longer than all before it
                _add_json_starts(max(map(len, chain(columns[1], filter(None, columns[2])))))
                records += self._format(upper, *columns)
            at = end
        self._at += rows
        return (self._start + self._start.join(records)).encode("latin-1") if records else b""

    def _format(
        self,
        upper: int,
        operations: Sequence[str | None],
        arguments: Sequence[str],
        results: Sequence[str | None],
        lower: Sequence[int],
        ids: Sequence[str],
        rows: Sequence[str],
    ) -> list[str]:
        """Return the records of rows whose balances differ only in the last two digits, `lower`."""
        balance = _text("i", 8 + 2 * self._digits) + _numeric_start(self._digits)
        balance += _digit_text(upper, self._digits - 2)
        after = {name: amount + balance for name, amount in self._amounts.items()}
        before, end, digits, starts = self._before, self._end, _digits(), _JSON_STARTS
        return [
            f"{id}{before[operation]}{starts[len(sent)]}{sent}{starts[len(result)]}{result}{after[operation]}"
            f"{digits[credits // UNITS]}{digits[credits % UNITS]}{end}{row}"
            for operation, sent, result, credits, id, row in zip(
                operations, arguments, results, lower, ids, rows, strict=True
            )
            if operation and result
        ]


def _text(form: str, *values: Any) -> str:
    return struct.pack("!" + form, *values).decode("latin-1")


def _field(value: bytes | str) -> str:
    text = value if isinstance(value, str) else value.decode("latin-1")
    return _text("i", len(text)) + text


def _numeric(units: int) -> str:
    digits = _digits_of(units)
    return _numeric_start(digits) + _digit_text(units, digits)


def _numeric_start(digits: int) -> str:
    """Return the header of a number that is not negative. Its last digit is after the decimal point."""
    return _text("hhhh", digits, digits - 2, 0, _SCALE)


def _digits_of(units: int) -> int:
    """Return how many digits of base 10,000 a number has."""
    return -(-len(str(units)) // _SCALE)


def _digit_text(number: int, digits: int) -> str:
    places = reversed(range(digits))
    return _text(f"{digits}h", *(number // UNITS**place % UNITS for place in places))


def _row_fields(first: int, rows: int) -> list[str]:
    """Return the fields of consecutive numbers of rows."""
    starts = [_text("iq", 8, number)[:-1] for number in range(first & ~0xFF, first + rows, 256)]
    fields = [start + chr(byte) for start in starts for byte in range(256)]
    return fields[first & 0xFF : (first & 0xFF) + rows]


@cache  # computed on first use: only the batch needs them
def _digits() -> list[str]:
    """Return each digit as two bytes."""
    text = _text(f"{UNITS}h", *range(UNITS))
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def _add_json_starts(length: int) -> None:
    """Extend _JSON_STARTS to texts of a length."""
    for number in range(len(_JSON_STARTS), length + 1):
        _JSON_STARTS.append(_text("i", number + 1) + "\1")
