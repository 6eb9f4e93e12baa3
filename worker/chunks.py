"""Split a CSV file into chunks of rows, and parse, validate and compute them.

The only I/O is that of random strings.
"""

import decimal
import json
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
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
"""Rows billed in one transaction, which locks the owner for about 0.2 s."""
CHUNK_BYTES = 4 * 1024 * 1024
"""A chunk ends after this many bytes, even with fewer rows. This limits memory, and the time spent on blank
lines."""
CELLS_PER_PARSE = 128
"""Argument cells that one call of json.loads parses."""
_PLAIN = "[0123456789.-, ]"
"""The characters of a JSON list of numbers without exponents."""
DIGITS_LIMIT = DECIMAL128.prec
CELL_TEXT_LIMIT = 1000
"""Characters of each cell of a rejected row that its error line keeps."""
NO_PRICE = "the operation has no price, so it cannot be called"
Arguments = list[Decimal] | str
"""A row's arguments, or the reason to reject the row."""


class ComputedRow(NamedTuple):
    """A row with a result, ready to be billed. `arguments` and `result` are JSON."""

    operation: str
    arguments: str
    result: str
    end: int
    """The offset after the row."""
    line: int
    """The number of its first line, from 1."""
    last_line: int


class RejectedRow(NamedTuple):
    """A row without a result, and the reason. It costs nothing."""

    operation: str
    arguments: str
    reason: str
    end: int
    line: int
    last_line: int


class DeferredRow(NamedTuple):
    """Not computed: the balance ran out before its remote call. Always the last row of its chunk."""

    operation: str
    arguments: str
    result: str
    end: int
    line: int
    last_line: int


ProcessedRow = ComputedRow | RejectedRow | DeferredRow


@dataclass(slots=True)
class Chunk:
    """Consecutive rows of a file. `end` and `lines` are the offset and the number of lines after them."""

    end: int
    lines: int
    rows: list[ProcessedRow] = field(default_factory=list)

    @property
    def ends_early(self) -> bool:
        """Whether the last row was not computed because the balance ran out."""
        return bool(self.rows) and type(self.rows[-1]) is DeferredRow


@dataclass(slots=True)
class RemoteBudget:
    """The credit left for operations that call an external service.

    It limits remote calls for rows that the owner can't pay. It is only an estimate, since other rows spend
    the same balance; billing checks the balance itself.
    """

    balance: Decimal
    costs: Mapping[str, Decimal]

    def spend(self, called: Sequence[Operation | None], lists: MutableSequence[Arguments]) -> int:
        """Return how many of the rows the balance covers. Mark remote calls without a price as rejected."""
        remote = {name for name, operation in CATALOG.items() if operation.is_remote()}
        for index, operation in enumerate(called):
            if (
                operation is None
                or operation.name not in remote
                or not _has_valid_count(operation, lists[index])
            ):
                continue
            cost = self.costs.get(operation.name)
            if cost is None:
                lists[index] = NO_PRICE
            elif cost > self.balance:
                return index
            else:
                self.balance -= cost
        return len(called)


def chunks(rows: CsvRows, budget: RemoteBudget | None = None, dry_run: bool = False) -> Iterator[Chunk]:
    """Yield a file's rows in computed chunks. The last one may be empty; it ends at the file's end, unless it
    ends early at a DeferredRow.

    Args:
        budget: the limit for remote calls; None for no limit.
        dry_run: whether to validate remote calls without making them. Their results are then empty.

    Raises:
        ServiceUnavailable: an operation's external service is unavailable.
    """
    gathered, start = list[Row](), rows.offset
    for row in rows:
        if not is_blank(row):
            gathered.append(row)
        if len(gathered) == CHUNK_ROWS or row.end - start >= CHUNK_BYTES:
            yield (chunk := _chunk(row.end, row.last_line, gathered, budget, dry_run))
            if chunk.ends_early:
                return
            gathered, start = [], row.end
    yield _chunk(rows.offset, rows.lines, gathered, budget, dry_run)


def _chunk(end: int, lines: int, rows: Sequence[Row], budget: RemoteBudget | None, dry_run: bool) -> Chunk:
    chunk = Chunk(end, lines, compute_all(rows, budget, dry_run))
    if chunk.ends_early:
        chunk.end, chunk.lines = chunk.rows[-1].end, chunk.rows[-1].last_line
    return chunk


def compute_all(
    rows: Sequence[Row], budget: RemoteBudget | None = None, dry_run: bool = False
) -> list[ProcessedRow]:
    """Compute rows in order, up to the first one that the budget does not cover."""
    called = [_find(row) for row in rows]
    if dry_run:
        called = _without_remote_calls(called)
    texts = list(map(_arguments_cell, rows, called))
    lists = _parse(texts)
    reached = len(rows) if budget is None else budget.spend(called, lists)
    for operation in {operation.name: operation for operation in called[:reached] if operation}.values():
        if operation.prepare is not None:
            rows_of_it = (
                args for other, args in zip(called[:reached], lists, strict=False) if other is operation
            )
            operation.prepare(sum(_has_valid_count(operation, args) for args in rows_of_it))
    with decimal.localcontext(DECIMAL128):
        done: list[ProcessedRow] = list(map(_compute, rows[:reached], called, texts, lists))
    if reached < len(rows) and (beyond := called[reached]):
        row = rows[reached]
        done.append(DeferredRow(beyond.name, texts[reached], "", row.end, row.line, row.last_line))
    return done


def _without_remote_calls(called: Sequence[Operation | None]) -> list[Operation | None]:
    """Return the operations; remote ones only validate their arguments and return an empty string."""
    stubs = {
        name: replace(operation, function=lambda *_: "", prepare=None)
        for name, operation in CATALOG.items()
        if operation.is_remote()
    }
    return [operation and stubs.get(operation.name, operation) for operation in called]


def _has_valid_count(operation: Operation, arguments: Arguments) -> bool:
    """Whether the row was parsed and the operation accepts its number of arguments."""
    return type(arguments) is list and operation.min_arguments <= len(arguments) <= operation.max_arguments


def _find(row: Row) -> Operation | None:
    cells, fault = row.cells, row.fault
    if fault or not 1 <= len(cells) <= 2:
        return None
    name = cells[0].strip()
    return CATALOG.get(name) or CATALOG.get(ALIASES.get(name, ""))


def _arguments_cell(row: Row, operation: Operation | None) -> str:
    if operation is not None and operation.ignores_arguments:
        return "[]"
    return (row.cells[1].strip() if len(row.cells) > 1 else "") or "[]"


def _compute(
    row: Row, operation: Operation | None, text: str, arguments: Arguments
) -> ComputedRow | RejectedRow:
    if operation is None or isinstance(arguments, str):
        return _reject(row, row.fault or _fault(row, operation, arguments))
    try:
        # A short text of plain characters needs no rounding, range check or escaping: its numbers have at
        # most 34 digits and no exponent, and it holds no tab or line feed, which would end COPY's cells.
        if len(text) <= DIGITS_LIMIT and not text.strip(_PLAIN):
            check_count(operation, arguments)
            result = as_json(apply(operation, arguments))
        else:
            result = as_json(compute_in_current_context(operation, arguments))
            text = arguments_json(arguments)
    except InvalidInput as error:
        return _reject(row, error.detail)
    # Same as `ComputedRow(…)` in a third of the time: it skips the generated __new__.
    return tuple.__new__(ComputedRow, (operation.name, text, result, row.end, row.line, row.last_line))


def _fault(row: Row, operation: Operation | None, arguments: Arguments) -> str:
    if not 1 <= len(row.cells) <= 2:
        return f"expected 2 columns, operation and arguments, but got {len(row.cells)}"
    if operation is None:
        return f"there is no operation {row.cells[0].strip()[:64]!r}"
    return str(arguments)


def _reject(row: Row, reason: str) -> RejectedRow:
    operation, arguments, *_ = [*row.cells, "", ""]
    return RejectedRow(
        _limited_text(operation), _limited_text(arguments), reason, row.end, row.line, row.last_line
    )


def _limited_text(cell: str) -> str:
    return cell[:CELL_TEXT_LIMIT].replace("\0", "�")


def _parse(texts: Sequence[str]) -> list[Arguments]:
    """Parse argument cells. A cell that is not a list of numbers yields the reason to reject its row."""
    parsed = list[Arguments]()
    for start in range(0, len(texts), CELLS_PER_PARSE):
        part = texts[start : start + CELLS_PER_PARSE]
        parsed += _parse_joined(part) or [_parse_one(text) for text in part]
    return parsed


def _parse_joined(texts: Sequence[str]) -> list[Arguments] | None:
    """Parse cells in one call of json.loads, in a quarter of the time; return None if that is not safe.

    Each cell has exactly one opening bracket, at its start, and ends with a closing one. Such a cell
    contributes at most one list, so if the number of lists equals the number of cells, list i is cell i.
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
    return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_reject_constant)


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
