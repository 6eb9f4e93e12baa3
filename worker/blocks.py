"""Compute a block of consecutive rows in columns, so that few Python objects are created for a row."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.errors import InvalidInput
from shared.operations.catalog import (
    apply,
    arguments_json,
    as_json,
    check_count,
    compute_in_current_context,
)
from worker.argument_cells import Numbers, is_unchanged, parse_cell, parse_cells
from worker.calls import UNKNOWN, Call, Calls
from worker.csv_rows import PlainRows, Row

NO_PRICE = "the operation has no price, so it cannot be called"
CELL_TEXT_LIMIT = 1000
"""Characters of each cell of a rejected row that its error line keeps."""

Source = PlainRows | list[Row]
"""The rows as they were read from the file."""


class RejectedRow(NamedTuple):
    """A row without a result, and the reason. It costs nothing."""

    operation: str
    arguments: str
    reason: str
    line: int
    """The number of its first line, from 1."""


@dataclass(slots=True)
class Block:
    """Computed rows in columns. A rejected row has no operation; `rejected` has it by its index.

    `arguments` and `results` are JSON.
    """

    source: Source
    operations: list[str | None]
    arguments: list[str]
    results: list[str | None]
    rejected: dict[int, RejectedRow]

    def __len__(self) -> int:
        return len(self.operations)

    def line(self, index: int) -> int:
        """Return the number of a row's first line."""
        return first_line(self.source, index)

    def reject_unpriced(self, prices: Collection[str]) -> None:
        """Reject the rows whose operations have no price."""
        if all(name in prices for name in set(self.operations) if name):
            return
        for index, name in enumerate(self.operations):
            if name and name not in prices:
                self.rejected[index] = RejectedRow(name, self.arguments[index], NO_PRICE, self.line(index))
                self.operations[index] = None


class ParsedRows:
    """Rows whose arguments are parsed. The lists of numbers are None for cells that are not plain."""

    def __init__(self, source: Source, calls: Calls) -> None:
        self.source = source
        self.reasons = dict[int, str]()
        """The reasons to reject rows, by their indexes."""
        if isinstance(source, PlainRows):
            self.names, self.cells = source.names, source.cells
            self.texts: Sequence[str] = source.cells
        else:
            self.names = [row.cells[0] if row.cells else "" for row in source]
            self.cells = [row.cells[1] if len(row.cells) > 1 else "" for row in source]
            self.texts = [cell.strip() or "[]" for cell in self.cells]
        self.calls: list[Call] = list(map(calls.__getitem__, self.names))
        if not isinstance(source, PlainRows):
            for index, row in enumerate(source):
                if reason := _fault(row):
                    self.reject(index, reason)
        if any(call.ignores_arguments for call in set(self.calls)):
            ignored = {call for call in calls.values() if call.ignores_arguments}
            pairs = zip(self.calls, self.texts, strict=True)
            self.texts = ["[]" if call in ignored else text for call, text in pairs]
        self.lists = parse_cells(self.texts)

    def reject(self, index: int, reason: str) -> None:
        """Reject a row instead of computing it."""
        self.reasons[index] = reason
        self.calls[index] = UNKNOWN

    def valid(self, call: Call) -> list[int]:
        """Return the indexes of a call's rows whose number of arguments its operation accepts."""
        indexes = [index for index, one in enumerate(self.calls) if one is call]
        if call.ignores_arguments:
            return indexes
        return list(filter(self._has_valid_count, indexes))

    def _has_valid_count(self, index: int) -> bool:
        operation, numbers = self.calls[index].operation, self.lists[index]
        found = parse_cell(self.texts[index]) if numbers is None else numbers
        return (
            operation is not None
            and isinstance(found, list)
            and operation.min_arguments <= len(found) <= operation.max_arguments
        )

    def truncate(self, rows: int) -> None:
        """Drop the rows after the first `rows`."""
        del self.calls[rows:], self.lists[rows:]
        self.reasons = {index: reason for index, reason in self.reasons.items() if index < rows}

    def compute(self) -> Block:
        """Compute the rows. The caller has entered DECIMAL128.

        Raises:
            ServiceUnavailable: an operation's external service is unavailable.
        """
        calls, lists = self.calls, defaultdict[Call, list[Numbers]](list)
        if None in self.lists:
            pairs = zip(calls, self.lists, strict=True)
            calls = [UNKNOWN if numbers is None else call for call, numbers in pairs]
        for call, numbers in zip(calls, self.lists, strict=True):
            lists[call].append(numbers or [])
        # Rows of the same operation are computed together.
        found = {call: iter(call.compute(lists[call])) for call in lists}
        results = list(map(next, map(found.__getitem__, calls)))
        operations = [call.name for call in self.calls]
        block = Block(self.source, operations, list(self.texts[: len(results)]), results, {})
        if None in results:
            for index in [index for index, result in enumerate(results) if result is None]:
                self._compute_alone(index, block)
        return block

    def _compute_alone(self, index: int, block: Block) -> None:
        try:
            block.arguments[index], block.results[index] = self._result(index)
        except InvalidInput as error:
            block.operations[index] = None
            block.rejected[index] = RejectedRow(
                _limited_text(self.names[index]),
                _limited_text(self.cells[index]),
                error.detail,
                block.line(index),
            )

    def _result(self, index: int) -> tuple[str, str]:
        """Return a row's arguments and result as JSON. Raises: InvalidInput with the reason to reject it."""
        text, operation = self.texts[index], self.calls[index].operation
        if operation is None:
            name = self.names[index].strip()[:64]
            raise InvalidInput(self.reasons.get(index) or f"there is no operation {name!r}")
        numbers = parse_cell(text)
        if isinstance(numbers, str):
            raise InvalidInput(numbers)
        if is_unchanged(text):
            check_count(operation, numbers)
            return text, as_json(apply(operation, numbers))
        return arguments_json(numbers), as_json(compute_in_current_context(operation, numbers))


def first_line(source: Source, index: int) -> int:
    """Return the number of a row's first line."""
    return source.line + index if isinstance(source, PlainRows) else source[index].line


def end_of(source: Source, index: int) -> tuple[int, int]:
    """Return the offset after a row, and the number of its last line."""
    if isinstance(source, PlainRows):
        return source.ends()[index], source.line + index
    return source[index].end, source[index].last_line


def _fault(row: Row) -> str | None:
    if row.fault or 1 <= len(row.cells) <= 2:
        return row.fault
    return f"expected 2 columns, operation and arguments, but got {len(row.cells)}"


def _limited_text(cell: str) -> str:
    return cell[:CELL_TEXT_LIMIT].replace("\0", "�")
