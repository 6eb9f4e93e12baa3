"""Bill one chunk in one transaction, exactly once even if several workers try."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple
from uuid import UUID

from shared.database import Row, UnitOfWork
from shared.ids import uuid7
from worker.blocks import Block, RejectedRow, end_of
from worker.chunks import Chunk
from worker.record_copy import COPY_RECORDS, HEADER, TRAILER, UNITS, RecordCopy

COPY_ERRORS = "COPY task_errors (task_id, task_row, operation, arguments, reason) FROM STDIN"
BAD_ROWS_LIMIT = 100_000
"""Rejected rows that one task may store. They cost nothing, so without a limit a file could fill the database
for free."""
# COPY's text format escapes these (PostgreSQL manual, COPY, "Text Format").
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

Prices = Mapping[str, tuple[UUID, Decimal]]
"""The id and the cost of each priced operation."""


class Outcome(Enum):
    """How billing a chunk ended."""

    BILLED = "billed"
    OUT_OF_CREDIT = "out of credit"
    TOO_MANY_BAD_ROWS = "too many bad rows"
    FENCED = "the checkpoint moved, or the task is no longer processing"
    OWNER_DELETED = "the owner's account was deleted"
    OWNER_INACTIVE = "the owner's account is inactive, so the task was cancelled"


_STATUS = {
    Outcome.BILLED: "processing",
    Outcome.OUT_OF_CREDIT: "out_of_credit",
    Outcome.TOO_MANY_BAD_ROWS: "failed",
}


class Position(NamedTuple):
    """A place between two rows of a file: the bytes, lines and rows before it."""

    offset: int
    lines: int
    rows: int


@dataclass(slots=True)
class ChunkTotals:
    """The sums of a chunk's rows up to `end`. `error_lines` are the COPY lines of its rejected rows."""

    end: Position
    outcome: Outcome = Outcome.BILLED
    error: str | None = None
    operations: Counter[str | None] = field(default_factory=Counter)
    """The billed rows by operation."""
    spent: Decimal = Decimal(0)
    error_lines: list[str] = field(default_factory=list)

    @property
    def billed(self) -> int:
        return self.operations.total()

    @property
    def rows(self) -> int:
        return self.billed + len(self.error_lines)

    def add(self, task_id: UUID, block: Block, rows: int, limit: int) -> int:
        """Add a block's rows before index `rows`, or those before the rejected row that exceeds `limit`.

        `end` moves by the number of rows only. The caller moves the offset after the last block.

        Returns:
            The number of rows added.
        """
        rejected = sorted(index for index in block.rejected if index < rows)
        allowed = limit - len(self.error_lines)
        if len(rejected) > allowed:
            self.outcome, rows = Outcome.TOO_MANY_BAD_ROWS, rejected[allowed]
        for index in rejected[:allowed]:
            self.error_lines.append(_error_line(task_id, self.end.rows + index + 1, block.rejected[index]))
        self.operations.update(block.operations[:rows])
        del self.operations[None]
        self.end = self.end._replace(rows=self.end.rows + rows)
        return rows

    def end_inside(self, chunk: Chunk, block: int, rows: int) -> None:
        """Move the offset after the first `rows` rows of a chunk's block, given by its index."""
        if not rows and block:
            block, rows = block - 1, len(chunk.blocks[block - 1])
        if rows:
            offset, lines = end_of(chunk.blocks[block].source, rows - 1)
            self.end = Position(offset, lines, self.end.rows)

    def copy_errors(self, uow: UnitOfWork) -> None:
        """Store the rejected rows."""
        if self.error_lines:
            uow.copy_in(COPY_ERRORS, ["".join(self.error_lines).encode()])


def bill_chunk(uow: UnitOfWork, task_id: UUID, start: Position, chunk: Chunk) -> tuple[Outcome, ChunkTotals]:
    """Charge, record and checkpoint a chunk, or the part of it before the row that ends the task.

    Args:
        start: where the chunk begins. If the task's checkpoint is another position, the outcome is FENCED.

    Raises:
        DomainError: as `Database.run`. Postgres committed either the whole chunk or nothing.
    """
    owner = uow.one("begin_chunk", id=task_id, bytes_done=start.offset, rows=chunk.rows)
    if owner is None:
        return Outcome.FENCED, ChunkTotals(start)
    if (outcome := check_owner(uow, task_id, owner)) is not None:
        return outcome, ChunkTotals(start)
    prices = {row["type"]: (row["id"], row["cost"]) for row in uow.run("prices")}
    totals = ChunkTotals(start)
    if chunk.rows:
        uow.copy_in(COPY_RECORDS, _bill_rows(totals, chunk, owner, prices, task_id))
    else:
        totals.end = Position(chunk.end, chunk.lines, start.rows)
    totals.copy_errors(uow)
    usage = _usage(totals, prices)
    uow.one("end_chunk", id=task_id, user_id=owner["user_id"], **_sums(totals, start), **usage)
    uow.commit()
    return totals.outcome, totals


def check_owner(uow: UnitOfWork, task_id: UUID, owner: Row) -> Outcome | None:
    """Return the outcome for a task whose owner was deleted or deactivated, or None.

    If the task was created or resumed while an admin deactivated its owner, cancel it and commit that.
    """
    if owner["deleted"]:
        return Outcome.OWNER_DELETED
    if owner["inactive"]:
        uow.run("suspend_tasks", user_id=owner["user_id"], id=task_id)
        uow.commit()
        return Outcome.OWNER_INACTIVE
    return None


def _sums(totals: ChunkTotals, start: Position) -> dict[str, Any]:
    """Return the parameters of end_chunk."""
    return {
        "entry_id": uuid7(),
        "spent": totals.spent,
        "billed": totals.billed,
        "first_row": start.rows + 1,
        "last_row": totals.end.rows,
        "bytes_done": totals.end.offset,
        "lines_done": totals.end.lines,
        "rows": totals.rows,
        "failed": len(totals.error_lines),
        "status": _STATUS[totals.outcome],
        "error": totals.error,
    }


def _usage(totals: ChunkTotals, prices: Prices) -> dict[str, list[Any]]:
    """Return end_chunk's parameters by operation: the billed rows and their price."""
    billed = {str(name): rows for name, rows in totals.operations.items()}
    return {
        "type_names": list(billed),
        "type_rows": list(billed.values()),
        "type_spent": [rows * prices[name][1] for name, rows in billed.items()],
    }


def _bill_rows(
    totals: ChunkTotals,
    chunk: Chunk,
    owner: Mapping[str, Any],
    prices: Prices,
    task_id: UUID,
) -> Iterator[bytes]:
    """Bill rows in order until the chunk ends or a row ends the task. Add the sums to `totals`.

    Yields:
        The records for COPY, a block at a time: Postgres processes one while Python builds the next.
    """
    yield HEADER
    balance, lowest_balance = int(owner["balance"] * UNITS), int(_lowest_balance(owner) * UNITS)
    costs: dict[str | None, int] = {name: int(cost * UNITS) for name, (_, cost) in prices.items()}
    costs[None] = 0  # a rejected row
    first_row, time = totals.end.rows + 1, owner["microseconds"]
    records = RecordCopy(owner["user_id"], task_id, prices, balance, time, first_row, chunk.rows)
    bad_rows_left = BAD_ROWS_LIMIT - owner["rows_failed"]
    for number, block in enumerate(chunk.blocks):
        block.reject_unpriced(prices)
        balances = list(accumulate(map(costs.__getitem__, block.operations), sub, initial=balance))
        affordable = len(block)
        if balances[-1] < lowest_balance:
            affordable = next(row for row, left in enumerate(balances[1:]) if left < lowest_balance)
        # If credit was added meanwhile, the next worker computes the deferred row.
        is_deferred = chunk.ends_early and number == len(chunk.blocks) - 1 and not block.rejected
        rows = totals.add(task_id, block, 0 if is_deferred else affordable, bad_rows_left)
        yield records.block(block, balances, rows)
        balance = balances[rows]
        if rows < len(block):
            totals.end_inside(chunk, number, rows)
            row = f"row {totals.end.rows + 1} (line {block.line(rows)})"
            if totals.outcome is Outcome.TOO_MANY_BAD_ROWS:
                totals.error = (
                    f"More than {BAD_ROWS_LIMIT:,} rows are invalid. Processing stopped at {row}; the rows"
                    " charged before are recorded. Correct the file and upload the rest."
                )
            elif affordable < len(block):
                totals.outcome = Outcome.OUT_OF_CREDIT
                needed = owner["balance"] - Decimal(balances[affordable + 1]) / UNITS
                totals.error = _out_of_credit(row, needed, owner)
            break
    else:
        totals.end = Position(chunk.end, chunk.lines, totals.end.rows)
    totals.spent = owner["balance"] - Decimal(balance) / UNITS
    yield TRAILER


def _lowest_balance(owner: Mapping[str, Any]) -> Decimal:
    """Return the balance below which billing stops: zero, or more because of a spending limit."""
    limits = [owner[name] for name in ("key_credit", "task_credit") if owner[name] is not None]
    return max(Decimal(0), owner["balance"] - min(limits)) if limits else Decimal(0)


def _out_of_credit(row: str, needed: Decimal, owner: Mapping[str, Any]) -> str:
    """Return the error for the first row that a spending limit or the balance does not cover.

    Args:
        needed: the price of the chunk's rows up to this one.
    """
    if owner["task_credit"] is not None and needed > owner["task_credit"]:
        return (
            f"The task's max_spend of {owner['max_spend']:f} does not cover {row}. Resume the task with a"
            " higher max_spend."
        )
    if owner["key_credit"] is None or needed <= owner["key_credit"]:
        return f"The balance does not cover {row}. Add credit and resume the task."
    return (
        f"The spending limit of the task's API key does not cover {row}. Resume the task in the limit's next"
        " period, or in a session, which has no limit."
    )


def _error_line(task_id: UUID, number: int, row: RejectedRow) -> str:
    """Return the COPY line of a rejected row."""
    cells = (row.operation, row.arguments, f"line {row.line}: {row.reason}")
    return f"{task_id}\t{number}\t" + "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"
