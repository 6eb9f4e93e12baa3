"""Bill one chunk in one transaction: exactly once, whichever workers try it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from shared.database.unit_of_work import UnitOfWork
from shared.ids import uuid7s
from worker.chunks import NO_PRICE, Chunk, Done, Refused, Uncomputed

COPY_RECORDS = (
    "COPY records (id, user_id, operation_id, arguments, operation_response, amount, user_balance,"
    " task_id, task_row) FROM STDIN"
)
COPY_ERRORS = "COPY task_errors (task_id, task_row, operation, arguments, reason) FROM STDIN"
BLOCK_LINES = 1024
"""Lines of one CopyData message, about 100 KB: sending one takes the interpreter's lock."""
BAD_ROWS_LIMIT = 100_000
"""Bad rows that are kept with their reason for one task. They cost nothing, so without a limit a file could
fill the database for free."""
# COPY's text format escapes these (PostgreSQL manual, COPY, "Text Format").
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class Outcome(Enum):
    """How billing a chunk ended."""

    BILLED = "billed"
    OUT_OF_CREDIT = "out of credit"
    TOO_MANY_BAD_ROWS = "too many bad rows"
    FENCED = "the checkpoint moved, or the task is not processing any more"
    OWNER_DELETED = "the owner's account was deleted"


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
class Bill:
    """The sums of a chunk's rows up to `end`; `refused` are lines for COPY."""

    end: Position
    outcome: Outcome = Outcome.BILLED
    error: str | None = None
    billed: int = 0
    spent: Decimal = Decimal(0)
    refused: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.billed + len(self.refused)


def bill_chunk(uow: UnitOfWork, task_id: UUID, start: Position, chunk: Chunk) -> tuple[Outcome, Bill]:
    """Charge, record and checkpoint a chunk, or the part of it before the row that ends the task.

    Args:
        start: where the chunk begins. It is the task's checkpoint, unless another worker moved that.

    Raises:
        DomainError: as `Database.run`; then either nothing of the chunk was committed or all of it.
    """
    uow.begin()
    owner = uow.one("begin_chunk", id=task_id, bytes_done=start.offset)
    if owner is None:
        return Outcome.FENCED, Bill(start)
    if owner["deleted"]:
        return Outcome.OWNER_DELETED, Bill(start)
    prices = {row["type"]: (row["id"], row["cost"]) for row in uow.all("prices")}
    bill = Bill(start)
    if chunk.rows:
        uow.database.copy_in(COPY_RECORDS, _draw_up(bill, chunk, owner, prices, task_id))
    else:
        bill.end = Position(chunk.end, chunk.lines, start.rows)
    if bill.refused:
        uow.database.copy_in(COPY_ERRORS, ["".join(bill.refused).encode()])
    uow.one("end_chunk", id=task_id, user_id=owner["user_id"], **_sums(bill, start))
    uow.commit()
    return bill.outcome, bill


def _sums(bill: Bill, start: Position) -> dict[str, Any]:
    """The parameters of end_chunk."""
    return {
        "entry_id": next(uuid7s(1)),
        "spent": bill.spent,
        "billed": bill.billed,
        "first_row": start.rows + 1,
        "last_row": bill.end.rows,
        "bytes_done": bill.end.offset,
        "lines_done": bill.end.lines,
        "rows": bill.rows,
        "failed": len(bill.refused),
        "status": _STATUS[bill.outcome],
        "error": bill.error,
    }


def _draw_up(
    bill: Bill,
    chunk: Chunk,
    owner: Mapping[str, Any],
    prices: Mapping[str, tuple[UUID, Decimal]],
    task_id: UUID,
) -> Iterator[bytes]:
    """Bill rows in order until the chunk ends or a row ends the task: yields the lines for COPY in blocks, so
    that Postgres processes one while the next is made.
    """
    balance, user_id, ids = owner["balance"], str(owner["user_id"]), uuid7s(len(chunk.rows))
    # As text once, not once a row.
    texts = {name: (cost, f"{user_id}\t{id}\t", f"\t{cost}\t") for name, (id, cost) in prices.items()}
    ending, copied = f"\t{task_id}\t", list[str]()
    refusals_left = BAD_ROWS_LIMIT - owner["rows_failed"]
    offset, lines, rows_before = bill.end
    for number, row in enumerate(chunk.rows, rows_before + 1):
        operation, arguments, result, end, line, last_line = row
        price = texts.get(operation)
        if price is None or type(row) is Refused:
            if len(bill.refused) >= refusals_left:
                bill.outcome = Outcome.TOO_MANY_BAD_ROWS
                bill.error = (
                    f"More than {BAD_ROWS_LIMIT:,} rows are bad. Processing stopped at row {number} (line"
                    f" {line}); what was charged before is recorded. Correct the file and upload the rest."
                )
                break
            bill.refused.append(_error_line(task_id, number, row))
            offset, lines = end, last_line
            continue
        cost, before, after = price
        if cost > balance:
            bill.outcome = Outcome.OUT_OF_CREDIT
            bill.error = f"There is not enough credit for row {number} (line {line})."
            break
        if type(row) is Uncomputed:
            break  # it can be paid by now: the next worker computes it
        balance -= cost
        if "\\" in result:
            result = result.replace("\\", "\\\\")
        copied.append(f"{next(ids)}\t{before}{arguments}\t{result}{after}{balance}{ending}{number}\n")
        offset, lines = end, last_line
        if len(copied) == BLOCK_LINES:
            yield "".join(copied).encode()
            bill.billed += len(copied)
            copied.clear()
    else:
        offset, lines = chunk.end, chunk.lines
    bill.billed += len(copied)
    bill.end = Position(offset, lines, rows_before + bill.rows)
    bill.spent = owner["balance"] - balance
    yield "".join(copied).encode()


def _error_line(task_id: UUID, number: int, row: Done) -> str:
    reason = row.reason if isinstance(row, Refused) else NO_PRICE
    cells = (row.operation, row.arguments, f"line {row.line}: {reason}")
    return f"{task_id}\t{number}\t" + "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"
