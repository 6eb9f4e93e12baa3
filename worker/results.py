"""Write a task's result CSV: stream it from Postgres to S3, in constant memory.

Several workers may write it one after the other, each from the checkpoint of the previous one. A worker that
writes the same results again produces the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared import aws, database
from shared.database import Row, statement_text
from worker.messages import Upload
from worker.s3_writer import S3ObjectWriter, resume_writer, s3_errors_as_domain_errors

ROWS_AT_ONCE = 10_000
"""Rows that one statement reads. Postgres sorts this many in memory. Sorting all rows on disk could exceed
the socket's timeout before the first row arrives."""
HEADER = b"row,operation,arguments,result,amount,user_balance,error\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the results are written: the upload, its number of parts, and the next row, from 1."""

    upload_id: str | None
    parts: int
    row: int

    @classmethod
    def of(cls, task: Row) -> "Checkpoint":
        return cls(task["results_upload"], task["results_parts"], task["results_row"])


class Fenced(Exception):
    """Another worker writes these results, or the task was cancelled or resumed."""


def write_results_of_ended_task(upload: Upload, redelivered: bool, out_of_time: Callable[[], bool]) -> bool:
    """Write the results of a task that ended without completing, if they are not written yet.

    Args:
        redelivered: whether an earlier worker failed or died with this message.
        out_of_time: as for `write_results`.

    Returns:
        False if another worker must continue.

    Raises:
        ServiceUnavailable: the database or S3 can't be reached. Another worker can continue.
    """
    ids = {"id": upload.task_id, "user_id": upload.user_id}
    task = database.one("claim_results", **ids, redelivered=redelivered)
    if task is None:
        return True
    end = task["finished_at"]
    key = aws.results_key(upload.user_id, upload.task_id, end)
    try:
        with s3_errors_as_domain_errors():
            written = write_results(
                upload.task_id, task["rows_done"], key, Checkpoint.of(task), out_of_time, finished_at=end
            )
    except Fenced:
        return True
    database.one("end_results", id=upload.task_id, finished_at=end, written=written)
    return written


def write_results(
    task_id: UUID,
    rows: int,
    key: str,
    done: Checkpoint,
    out_of_time: Callable[[], bool],
    *,
    finished_at: datetime | None = None,
) -> bool:
    """Write the results of a task's first `rows` rows, until they are complete or time runs out.

    Args:
        done: the checkpoint of an earlier worker.
        out_of_time: returns whether this worker must stop. Called after each part.
        finished_at: when the task ended; None for a task whose rows are all billed and that completes with
            these results.

    Returns:
        Whether the results are complete.

    Raises:
        Fenced: this worker must stop.
        DomainError, ClientError, BotoCoreError: the caller can try again.
    """
    writer, row = _resume(key, done)
    checkpoint = done.row
    with writer:
        if row == 1:
            writer.write(HEADER)
        while row <= rows:
            database.copy_out(_statement(task_id, row, min(rows, row + ROWS_AT_ONCE - 1)), writer)
            row += ROWS_AT_ONCE
            if writer.has_full_part and row <= rows:
                writer.upload_part()
                _save_checkpoint(task_id, finished_at, writer, checkpoint, row)
                checkpoint = row
                if out_of_time():
                    return False
        writer.complete()
    return True


def _resume(key: str, done: Checkpoint) -> tuple[S3ObjectWriter, int]:
    """Return a writer and the row to continue with. Start again if S3 lost the earlier upload or a part."""
    writer, resumed = resume_writer(key, done.upload_id, done.parts)
    return writer, done.row if resumed else 1


def _save_checkpoint(
    task_id: UUID, finished_at: datetime | None, writer: S3ObjectWriter, row: int, next_row: int
) -> None:
    """Move the checkpoint from `row` to `next_row`. Raises: Fenced if another worker has moved it."""
    saved = database.one(
        "checkpoint_results",
        id=task_id,
        finished_at=finished_at,
        upload_id=writer.upload_id,
        parts=writer.parts,
        row=row,
        next_row=next_row,
    )
    if saved is None:
        raise Fenced
    writer.has_checkpoint = True


def _statement(task_id: UUID, first: int, last: int) -> str:
    sql = statement_text("results").replace("{task_id}", str(task_id))
    return sql.replace("{first}", str(first)).replace("{last}", str(last))
