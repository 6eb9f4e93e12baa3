"""Bill one chunk in one transaction, exactly once even if several workers try."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from shared.database import Row, UnitOfWork
from shared.ids import uuid7s
from worker.chunks import NO_PRICE, Chunk, ComputedRow, DeferredRow, ProcessedRow, RejectedRow

COPY_RECORDS = (
    "COPY records (id, user_id, operation_id, arguments, operation_response, amount, user_balance,"
    " task_id, task_row) FROM STDIN"
)
COPY_ERRORS = "COPY task_errors (task_id, task_row, operation, arguments, reason) FROM STDIN"
BLOCK_LINES = 1024
"""Lines of one CopyData message (about 100 KB). Each message sent acquires the GIL, so send few."""
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
    billed: int = 0
    spent: Decimal = Decimal(0)
    error_lines: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.billed + len(self.error_lines)

    def reject(self, task_id: UUID, number: int, row: ProcessedRow, limit: int) -> bool:
        """Add a rejected row, or return False if the chunk already has `limit` of them."""
        if len(self.error_lines) >= limit:
            self.outcome = Outcome.TOO_MANY_BAD_ROWS
            return False
        self.error_lines.append(_error_line(task_id, number, row))
        return True

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
    owner = uow.one("begin_chunk", id=task_id, bytes_done=start.offset, rows=len(chunk.rows))
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
    usage = _usage(chunk, totals, prices)
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
        "entry_id": next(uuid7s(1)),
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


def _usage(chunk: Chunk, totals: ChunkTotals, prices: Prices) -> dict[str, list[Any]]:
    """Return end_chunk's parameters by operation: the billed rows and their price."""
    computed = Counter(row[0] for row in chunk.rows[: totals.rows] if type(row) is ComputedRow)
    billed = {name: rows for name, rows in computed.items() if name in prices}
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
        COPY lines of records, in blocks: Postgres processes one block while Python builds the next.
    """
    balance, user_id, ids = owner["balance"], str(owner["user_id"]), uuid7s(len(chunk.rows))
    lowest_balance = _lowest_balance(owner)
    # Format prices once a chunk instead of once a row.
    texts = {name: (cost, f"{user_id}\t{id}\t", f"\t{cost}\t") for name, (id, cost) in prices.items()}
    ending, copied = f"\t{task_id}\t", list[str]()
    bad_rows_left = BAD_ROWS_LIMIT - owner["rows_failed"]
    offset, lines, rows_before = totals.end
    for number, row in enumerate(chunk.rows, rows_before + 1):
        operation, arguments, result, end, line, last_line = row
        price = texts.get(operation)
        if price is None or type(row) is RejectedRow:
            if not totals.reject(task_id, number, row, bad_rows_left):
                totals.error = (
                    f"More than {BAD_ROWS_LIMIT:,} rows are invalid. Processing stopped at row {number} (line"
                    f" {line}); the rows charged before are recorded. Correct the file and upload the rest."
                )
                break
            offset, lines = end, last_line
            continue
        cost, before, after = price
        balance_after = balance - cost
        if balance_after < lowest_balance:
            totals.outcome = Outcome.OUT_OF_CREDIT
            totals.error = _out_of_credit(f"row {number} (line {line})", cost, balance, owner)
            break
        if type(row) is DeferredRow:
            break  # credit was added meanwhile: the next worker computes the row
        balance = balance_after
        if "\\" in result:
            result = result.replace("\\", "\\\\")
        copied.append(f"{next(ids)}\t{before}{arguments}\t{result}{after}{balance}{ending}{number}\n")
        offset, lines = end, last_line
        if len(copied) == BLOCK_LINES:
            yield "".join(copied).encode()
            totals.billed += len(copied)
            copied.clear()
    else:
        offset, lines = chunk.end, chunk.lines
    totals.billed += len(copied)
    totals.end = Position(offset, lines, rows_before + totals.rows)
    totals.spent = owner["balance"] - balance
    yield "".join(copied).encode()


def _lowest_balance(owner: Mapping[str, Any]) -> Decimal:
    """Return the balance below which billing stops: zero, or more because of a spending limit."""
    limits = [owner[name] for name in ("key_credit", "task_credit") if owner[name] is not None]
    return max(Decimal(0), owner["balance"] - min(limits)) if limits else Decimal(0)


def _out_of_credit(row: str, cost: Decimal, balance: Decimal, owner: Mapping[str, Any]) -> str:
    """Return the error for the first row that a spending limit or the balance before it does not cover."""
    needed = owner["balance"] - balance + cost
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


def _error_line(task_id: UUID, number: int, row: ProcessedRow) -> str:
    """Return the COPY line of a rejected row, or of one whose operation has no price."""
    reason = row.reason if isinstance(row, RejectedRow) else NO_PRICE
    cells = (row.operation, row.arguments, f"line {row.line}: {reason}")
    return f"{task_id}\t{number}\t" + "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"
