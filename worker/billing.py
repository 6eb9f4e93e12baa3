"""One chunk, billed in one transaction: exactly once, whoever tries it and however often."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from shared.ids import uuid7s
from shared.unit_of_work import UnitOfWork
from worker.chunks import NO_PRICE, Chunk, Done, Refused, Uncomputed

COPY_RECORDS = (
    "COPY records (id, user_id, operation_id, arguments, operation_response, amount, user_balance,"
    " task_id, task_row) FROM STDIN"
)
COPY_ERRORS = "COPY task_errors (task_id, task_row, operation, arguments, reason) FROM STDIN"
BLOCK_LINES = 1024
"""Lines of one CopyData message, some 100 KB: each costs a turn of the interpreter's lock."""
# COPY's text format escapes these (PostgreSQL manual, COPY, "Text Format").
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class Outcome(Enum):
    """How billing a chunk ended."""

    BILLED = "billed"
    OUT_OF_CREDIT = "out of credit"
    FENCED = "not where it was, or no longer processing"
    OWNER_DELETED = "its owner's account was deleted"


@dataclass(slots=True)
class Bill:
    """What the affordable rows of a chunk come to; the refused are lines of COPY."""

    end: int
    billed: int = 0
    spent: Decimal = Decimal(0)
    refused: list[str] = field(default_factory=list)
    affordable: bool = True

    @property
    def rows(self) -> int:
        return self.billed + len(self.refused)


def bill_chunk(
    uow: UnitOfWork, task_id: UUID, start: int, first_row: int, chunk: Chunk
) -> tuple[Outcome, Bill]:
    """Charge, record and check-point a chunk, or the part of it that can be paid.

    Args:
        start: the offset where the chunk begins, which is the task's checkpoint unless another
            worker was here.
        first_row: the number of its first row, from 1.

    Raises:
        DomainError: as `Database.run`; then nothing of the chunk was kept, or all of it.
    """
    uow.begin()
    owner = uow.one("begin_chunk", id=task_id, bytes_done=start)
    if owner is None:
        return Outcome.FENCED, Bill(start)
    if owner["deleted"]:
        return Outcome.OWNER_DELETED, Bill(start)
    prices = {row["type"]: (row["id"], row["cost"]) for row in uow.all("prices")}
    bill = Bill(start)
    if chunk.rows:
        uow.database.copy_in(COPY_RECORDS, _draw_up(bill, chunk, owner, prices, task_id, first_row))
    else:
        bill.end = chunk.end
    if bill.refused:
        uow.database.copy_in(COPY_ERRORS, ["".join(bill.refused).encode()])
    uow.one("end_chunk", id=task_id, user_id=owner["user_id"], **_sums(bill, first_row))
    uow.commit()
    return Outcome.BILLED if bill.affordable else Outcome.OUT_OF_CREDIT, bill


def _sums(bill: Bill, first_row: int) -> dict[str, Any]:
    """What the chunk's end says of it."""
    return {
        "entry_id": next(uuid7s(1)),
        "spent": bill.spent,
        "billed": bill.billed,
        "first_row": first_row,
        "last_row": first_row + bill.rows - 1,
        "bytes_done": bill.end,
        "rows": bill.rows,
        "failed": len(bill.refused),
        "status": "processing" if bill.affordable else "out_of_credit",
        "error": None if bill.affordable else f"There is not enough credit for row {first_row + bill.rows}.",
    }


def _draw_up(
    bill: Bill,
    chunk: Chunk,
    owner: Mapping[str, Any],
    prices: Mapping[str, tuple[UUID, Decimal]],
    task_id: UUID,
    first_row: int,
) -> Iterator[bytes]:
    """Bill the longest prefix that is computed and that the balance pays for, row by row, in order: its
    lines of COPY, in blocks, so that Postgres works on one while the next is drawn up.
    """
    balance, user_id, ids = owner["balance"], str(owner["user_id"]), uuid7s(len(chunk.rows))
    # As text once, not once a row.
    texts = {name: (cost, f"{user_id}\t{id}\t", f"\t{cost}\t") for name, (id, cost) in prices.items()}
    ending, lines = f"\t{task_id}\t", list[str]()
    for number, row in enumerate(chunk.rows, first_row):
        operation, arguments, result, end = row
        price = texts.get(operation)
        if price is None or type(row) is Refused:
            bill.refused.append(_error_line(task_id, number, row))
            bill.end = end
            continue
        cost, before, after = price
        if cost > balance:
            bill.affordable = False
            break
        if type(row) is Uncomputed:
            break  # it can be paid by now: whoever goes on from here computes it
        balance -= cost
        if "\\" in result:
            result = result.replace("\\", "\\\\")
        lines.append(f"{next(ids)}\t{before}{arguments}\t{result}{after}{balance}{ending}{number}\n")
        bill.end = end
        if len(lines) == BLOCK_LINES:
            yield "".join(lines).encode()
            bill.billed += len(lines)
            lines.clear()
    else:
        bill.end = chunk.end
    bill.billed += len(lines)
    bill.spent = owner["balance"] - balance
    yield "".join(lines).encode()


def _error_line(task_id: UUID, number: int, row: Done) -> str:
    reason = row.reason if isinstance(row, Refused) else NO_PRICE
    cells = (row.operation, row.arguments, reason)
    return f"{task_id}\t{number}\t" + "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"
