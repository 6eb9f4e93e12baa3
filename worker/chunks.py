"""Chunks: rows parsed, checked and computed, ready to be billed. Pure but for random strings."""

import decimal
import json
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from shared.errors import InvalidInput
from shared.operations.catalog import (
    ALIASES,
    CATALOG,
    DECIMAL128,
    Operation,
    apply,
    arguments_json,
    as_json,
    check_count,
    compute_in_current_context,
)
from worker.csv_rows import CsvRows, Row, is_blank

CHUNK_ROWS = 8192
"""Rows billed in one transaction: about 0.2 s of its owner's lock."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Bytes after which a chunk ends with fewer rows: they are in memory, and blank lines take time too."""
JOINED = 128
"""Arguments that one call of json.loads reads."""
_PLAIN = "[0123456789.-, ]"
"""Characters of JSON's lists of numbers that have no exponents."""
MOST_DIGITS = DECIMAL128.prec
LONGEST_ECHO = 1000
"""Characters of a bad row's cells that are kept for its report."""
NO_PRICE = "the operation has no price: it can't be called"
Arguments = list[Decimal] | str
"""A row's arguments, or the reason why it has none."""


class Computed(NamedTuple):
    """A row that can be billed; `arguments` and `result` are JSON."""

    operation: str
    arguments: str
    result: str
    end: int
    """The offset after the row."""
    line: int
    """The number of its first line, from 1."""
    last_line: int


class Refused(NamedTuple):
    """A bad row, and the reason."""

    operation: str
    arguments: str
    reason: str
    end: int
    line: int
    last_line: int


class Uncomputed(NamedTuple):
    """Not computed: the balance ran out before its remote call. Always the last row of its chunk."""

    operation: str
    arguments: str
    result: str
    end: int
    line: int
    last_line: int


Done = Computed | Refused | Uncomputed


@dataclass(slots=True)
class Chunk:
    """Consecutive rows in the file's order, and the bytes and lines of the file up to their end."""

    end: int
    lines: int
    rows: list[Done] = field(default_factory=list)

    @property
    def is_cut(self) -> bool:
        return bool(self.rows) and type(self.rows[-1]) is Uncomputed


@dataclass(slots=True)
class Credit:
    """What may still be computed by operations that ask another service, before anybody is billed.

    Other rows may spend the same credit: it bounds what is asked for in vain, it is no bill.
    """

    balance: Decimal
    costs: Mapping[str, Decimal]

    def spend(self, called: Sequence[Operation | None], lists: MutableSequence[Arguments]) -> int:
        """How many of the rows can be computed; those that have no price are given that as their reason."""
        remote = {name for name, operation in CATALOG.items() if operation.is_remote()}
        for index, operation in enumerate(called):
            if operation is None or operation.name not in remote or not _fits(operation, lists[index]):
                continue
            cost = self.costs.get(operation.name)
            if cost is None:
                lists[index] = NO_PRICE
            elif cost > self.balance:
                return index
            else:
                self.balance -= cost
        return len(called)


def chunks(rows: CsvRows, credit: Credit | None = None) -> Iterator[Chunk]:
    """Cut a file into computed chunks; the last one, maybe empty, ends where the file does, or else is cut.

    Args:
        credit: what operations of other services may spend; None for no limit.

    Raises:
        ServiceUnavailable: random strings are not to be had.
    """
    gathered, start = list[Row](), rows.offset
    for row in rows:
        if not is_blank(row):
            gathered.append(row)
        if len(gathered) == CHUNK_ROWS or row.end - start >= CHUNK_BYTES:
            yield (chunk := _chunk(row.end, row.last_line, gathered, credit))
            if chunk.is_cut:
                return
            gathered, start = [], row.end
    yield _chunk(rows.offset, rows.lines, gathered, credit)


def _chunk(end: int, lines: int, rows: Sequence[Row], credit: Credit | None) -> Chunk:
    chunk = Chunk(end, lines, compute_all(rows, credit))
    if chunk.is_cut:
        chunk.end, chunk.lines = chunk.rows[-1].end, chunk.rows[-1].last_line
    return chunk


def compute_all(rows: Sequence[Row], credit: Credit | None = None) -> list[Done]:
    """Each row's result, or the reason why it has none; up to the first that the credit does not reach."""
    called = [_find(row) for row in rows]
    texts = [_arguments_cell(row) for row in rows]
    lists = _parse(texts)
    reached = len(rows) if credit is None else credit.spend(called, lists)
    for operation in {operation.name: operation for operation in called[:reached] if operation}.values():
        if operation.prepare is not None:
            rows_of_it = (
                args for other, args in zip(called[:reached], lists, strict=False) if other is operation
            )
            operation.prepare(sum(_fits(operation, args) for args in rows_of_it))
    with decimal.localcontext(DECIMAL128):
        done: list[Done] = list(map(_compute, rows[:reached], called, texts, lists))
    if reached < len(rows) and (beyond := called[reached]):
        row = rows[reached]
        done.append(Uncomputed(beyond.name, texts[reached], "", row.end, row.line, row.last_line))
    return done


def _fits(operation: Operation, arguments: Arguments) -> bool:
    """Whether there are as many arguments as the operation takes."""
    return type(arguments) is list and operation.min_arguments <= len(arguments) <= operation.max_arguments


def _find(row: Row) -> Operation | None:
    cells, fault = row.cells, row.fault
    if fault or not 1 <= len(cells) <= 2:
        return None
    name = cells[0].strip()
    return CATALOG.get(name) or CATALOG.get(ALIASES.get(name, ""))


def _arguments_cell(row: Row) -> str:
    return (row.cells[1].strip() if len(row.cells) > 1 else "") or "[]"


def _compute(row: Row, operation: Operation | None, text: str, arguments: Arguments) -> Computed | Refused:
    if operation is None or isinstance(arguments, str):
        return _refuse(row, row.fault or _fault(row, operation, arguments))
    try:
        # Short and plain, the text holds no number of more digits than decimal128 has, none out of
        # range, and no tab or line feed, with which COPY's cells and lines would end.
        if len(text) <= MOST_DIGITS and not text.strip(_PLAIN):
            check_count(operation, arguments)
            result = as_json(apply(operation, arguments))
        else:
            result = as_json(compute_in_current_context(operation, arguments))
            text = arguments_json(arguments)
    except InvalidInput as error:
        return _refuse(row, error.detail)
    # As `Computed(…)`, at a third of its time: no code of Computed's is run.
    return tuple.__new__(Computed, (operation.name, text, result, row.end, row.line, row.last_line))


def _fault(row: Row, operation: Operation | None, arguments: Arguments) -> str:
    if not 1 <= len(row.cells) <= 2:
        return f"expected 2 columns, operation and arguments, and {len(row.cells)} came"
    if operation is None:
        return f"there is no operation {row.cells[0].strip()[:64]!r}"
    return str(arguments)


def _refuse(row: Row, reason: str) -> Refused:
    operation, arguments, *_ = [*row.cells, "", ""]
    return Refused(_echo(operation), _echo(arguments), reason, row.end, row.line, row.last_line)


def _echo(cell: str) -> str:
    return cell[:LONGEST_ECHO].replace("\0", "�")


def _parse(texts: Sequence[str]) -> list[Arguments]:
    """The argument lists of many cells; a reason in place of one that is no list of numbers."""
    parsed = list[Arguments]()
    for start in range(0, len(texts), JOINED):
        some = texts[start : start + JOINED]
        parsed += _parse_joined(some) or [_parse_one(text) for text in some]
    return parsed


def _parse_joined(texts: Sequence[str]) -> list[Arguments] | None:
    """The lists of cells that hold plain numbers and brackets only; None when it takes a closer look.

    Read at once, they take a quarter of the time. A cell with one opening bracket, at its beginning,
    and a closing one at its end makes one list at the most, so as many lists as cells are one of each.
    """
    joined = ",".join(texts)
    if joined.strip(_PLAIN) or joined.count("[") != len(texts):
        return None
    if not all([text[0] == "[" and text[-1] == "]" for text in texts]):
        return None
    try:
        lists = _loads(f"[{joined}]")
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return lists if len(lists) == len(texts) else None


def _parse_one(text: str) -> Arguments:
    try:
        numbers = _loads(text)
    except (ValueError, ArithmeticError, RecursionError):
        return "the arguments are not a JSON list"
    if not isinstance(numbers, list):
        return "the arguments are not a JSON list"
    for index, number in enumerate(numbers):
        if type(number) is not Decimal:
            return f"argument {index + 1} is not a number"
    return numbers


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
