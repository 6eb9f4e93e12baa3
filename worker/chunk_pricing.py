"""Check and price one chunk of a dry run in one transaction, without locking its owner's row."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from shared.database import UnitOfWork
from worker import chunk_billing
from worker.chunk_billing import ChunkTotals, Outcome, Position, check_owner
from worker.chunks import Chunk


def price_chunk(uow: UnitOfWork, task_id: UUID, start: Position, chunk: Chunk) -> tuple[Outcome, ChunkTotals]:
    """Price and checkpoint a chunk, or the part of it before the rejected row that exceeds BAD_ROWS_LIMIT.

    The task's status stays `processing` for every outcome, so that the caller ends it.

    Args:
        start: where the chunk begins. If the task's checkpoint is another position, the outcome is FENCED.

    Raises:
        DomainError: as `Database.run`. Postgres committed either the whole chunk or nothing.
    """
    task = uow.one("begin_quote", id=task_id, bytes_done=start.offset)
    if task is None:
        return Outcome.FENCED, ChunkTotals(start)
    if (outcome := check_owner(uow, task_id, task)) is not None:
        return outcome, ChunkTotals(start)
    costs = {row["type"]: row["cost"] for row in uow.run("prices")}
    totals = _price_rows(chunk, start, costs, task_id, chunk_billing.BAD_ROWS_LIMIT - task["rows_failed"])
    totals.copy_errors(uow)
    uow.one(
        "end_quote",
        id=task_id,
        bytes_done=totals.end.offset,
        lines_done=totals.end.lines,
        rows=totals.rows,
        failed=len(totals.error_lines),
        cost=totals.spent,
    )
    uow.commit()
    return totals.outcome, totals


def _price_rows(
    chunk: Chunk, start: Position, costs: Mapping[str, Decimal], task_id: UUID, bad_rows_left: int
) -> ChunkTotals:
    """Return the sums of a chunk's rows. `billed` and `spent` are the rows with a price, and their price."""
    totals = ChunkTotals(start)
    for number, block in enumerate(chunk.blocks):
        block.reject_unpriced(costs)
        rows = totals.add(task_id, block, len(block), bad_rows_left)
        if rows < len(block):
            totals.end_inside(chunk, number, rows)
            totals.error = (
                f"More than {chunk_billing.BAD_ROWS_LIMIT:,} rows are invalid. Checking stopped at row"
                f" {totals.end.rows + 1} (line {block.line(rows)}). Correct the file and upload it again."
            )
            break
    else:
        totals.end = Position(chunk.end, chunk.lines, totals.end.rows)
    totals.spent = sum((rows * costs[name] for name, rows in totals.operations.items() if name), Decimal(0))
    return totals
