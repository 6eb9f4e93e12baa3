"""Process one task from its checkpoint to its end, or until this worker must stop."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from shared import aws, database, interpreter, metrics
from shared.database import Row, UnitOfWork
from shared.operations.catalog import CATALOG
from shared.settings import settings
from worker.chunk_billing import ChunkTotals, Outcome, Position, bill_chunk
from worker.chunk_pricing import price_chunk
from worker.chunks import RemoteBudget, chunks
from worker.csv_rows import CsvRows, NotACsv
from worker.messages import InvalidMessage, Upload
from worker.results import Checkpoint, Fenced, write_results
from worker.s3_writer import s3_errors_as_domain_errors

HANDOVER_MARGIN = 60.0
"""A worker starts another chunk only if this many seconds remain before its timeout."""
TURN = 60.0
"""Seconds after which a worker sends its task back to the queue, so that a large file delays other files by
no more than this, even with a single worker."""
CHUNKS_PER_COLLECTION = 32
"""Chunks between two garbage collections."""
BLOCK = 1024 * 1024
"""Bytes of one read from S3."""
UNFINISHED = ("awaiting_upload", "queued", "processing")

logger = Logger(service="restcalculator")
T = TypeVar("T")


class End(Enum):
    """Why a worker stopped processing a task."""

    COMPLETED = "completed"
    QUOTED = "quoted"
    OUT_OF_CREDIT = "out of credit"
    FAILED = "failed"
    NOT_RUNNING = "the task had ended before"
    IN_PROGRESS = "another worker is processing the task"
    TAKEN_OVER = "cancelled, or another worker took the task over"
    HANDED_OVER = "this worker ran out of time: handed over to the next one"
    WAITING = "another task of its owner is being processed"

    @property
    def frees_owner(self) -> bool:
        """Whether the owner's next task can start."""
        return self in (End.COMPLETED, End.QUOTED, End.OUT_OF_CREDIT, End.FAILED, End.TAKEN_OVER)

    @property
    def may_lack_results(self) -> bool:
        """Whether the task may have ended without its results."""
        return self in (End.QUOTED, End.OUT_OF_CREDIT, End.FAILED, End.TAKEN_OVER, End.NOT_RUNNING)


@dataclass(frozen=True, slots=True)
class _File:
    size: int
    etag: str


def begin_turn(seconds_left: Callable[[], float]) -> Callable[[], bool]:
    """Begin a worker's turn with a task. Return a function that returns whether the turn has ended.

    Args:
        seconds_left: returns the seconds that this worker may still run.
    """
    turn_ends = time.monotonic() + TURN
    return lambda: seconds_left() < HANDOVER_MARGIN or time.monotonic() > turn_ends


def run_task(upload: Upload, redelivered: bool, out_of_time: Callable[[], bool]) -> End:
    """Bill an upload's rows from its checkpoint on, and write the results if it completes.

    The rows of a dry run are only priced.

    Args:
        redelivered: whether this is not the first delivery: the earlier worker failed or died.
        out_of_time: returns whether this worker must hand the task over.

    Raises:
        InvalidMessage: there is no such task.
        ServiceUnavailable: the database, S3 or random.org can't be reached; committed work stays.
    """
    try:
        with s3_errors_as_domain_errors():
            return _run(upload, redelivered, out_of_time)
    except NotACsv as error:
        return _fail(upload, str(error))
    except Fenced:
        return End.TAKEN_OVER


def _run(upload: Upload, redelivered: bool, out_of_time: Callable[[], bool]) -> End:
    if end := _end_without_work(upload, redelivered):
        return end
    file = _head(upload.key)
    if file is None:
        return _fail(upload, "The file does not exist.")
    task = _start(upload, file)
    if task["status"] == "queued":
        return End.WAITING
    if task["status"] != "processing":
        return End.NOT_RUNNING
    if task["etag"] != file.etag:
        return _fail(upload, "The file was replaced after its processing started.")
    return _process_rows(upload, file, task, out_of_time)


def _end_without_work(upload: Upload, redelivered: bool) -> End | None:
    """Return the end for a message that needs no work, or None.

    It runs at most three short statements. For a message from S3 none waits for a chunk, so a user who causes
    many can't keep a worker busy. The service sends at most one message per task, which may wait for a chunk.
    """
    if not upload.announced:
        database.run("receive_message", id=upload.task_id, user_id=upload.user_id)
    task = database.one("peek_task", id=upload.task_id, user_id=upload.user_id)
    if task is None:
        raise InvalidMessage(f"there is no task {upload.task_id}")
    if task["status"] not in UNFINISHED:
        return End.NOT_RUNNING
    # Take over the task of a redelivered message at once: the worker that received it before has failed.
    if task["status"] == "processing" and task["has_live_worker"] and not redelivered:
        return End.IN_PROGRESS
    # Check this after the status: then the worker that ends the other task sees this one as waiting.
    if task["status"] == "queued" and task["has_file"] and _owner_is_busy(upload):
        return End.WAITING
    return None


def _owner_is_busy(upload: Upload) -> bool:
    return bool(database.only("owner_is_busy", user_id=upload.user_id, id=upload.task_id)["busy"])


@interpreter.tuned_for_batch()
def _process_rows(
    upload: Upload,
    file: _File,
    task: Row,
    out_of_time: Callable[[], bool],
) -> End:
    at = Position(task["bytes_done"], _lines_before(upload, file, task), task["rows_done"])
    rows = CsvRows(_blocks(upload.key, file, at.offset), at.offset, at.lines)
    if at.offset == 0:
        rows.header()
    dry_run = task["dry_run"]
    budget = None if dry_run else _remote_budget(task)
    process = price_chunk if dry_run else bill_chunk
    for number, chunk in enumerate(_one_ahead(chunks(rows, budget, dry_run)), 1):
        if number % CHUNKS_PER_COLLECTION == 0:
            interpreter.collect_garbage()
        with UnitOfWork() as uow:
            outcome, totals = process(uow, upload.task_id, at, chunk)
        if outcome in (Outcome.FENCED, Outcome.OWNER_INACTIVE):
            return End.TAKEN_OVER
        if outcome is Outcome.OWNER_DELETED:
            return _fail(upload, "The account was deleted.")
        if dry_run and outcome is Outcome.TOO_MANY_BAD_ROWS:
            return _fail(upload, str(totals.error))
        if not dry_run:
            _emit_metrics(outcome, totals)
        if outcome is not Outcome.BILLED:
            return End.OUT_OF_CREDIT if outcome is Outcome.OUT_OF_CREDIT else End.FAILED
        at = totals.end
        # If no rows remain, write the results even when time is short.
        if chunk.ends_early or (out_of_time() and (totals.rows or at.offset < file.size)):
            return _hand_over(upload, at)
    if dry_run:
        return End.QUOTED if _complete(upload, dry_run=True) else End.TAKEN_OVER
    key = aws.results_key(upload.user_id, upload.task_id)
    if not write_results(upload.task_id, at.rows, key, Checkpoint.of(task), out_of_time):
        return _hand_over(upload, at)
    if not _complete(upload, dry_run=False):
        return End.TAKEN_OVER
    metrics.emit(TasksCompleted=1)
    return End.COMPLETED


def _complete(upload: Upload, *, dry_run: bool) -> bool:
    """End a task after its last row. Return False if it is no longer being processed."""
    return database.one("complete_task", id=upload.task_id, dry_run=dry_run) is not None


def _hand_over(upload: Upload, at: Position) -> End:
    """Release the task to another worker. Return TAKEN_OVER if another worker moved the checkpoint."""
    released = database.one("release_task", id=upload.task_id, bytes_done=at.offset)
    return End.HANDED_OVER if released else End.TAKEN_OVER


def _lines_before(upload: Upload, file: _File, task: Row) -> int:
    """Return the number of lines before the checkpoint. Count them if an older release, which did not store
    `lines_done`, started the task."""
    if task["lines_done"] or task["bytes_done"] in (0, file.size):
        return int(task["lines_done"])
    return sum(block.count(b"\n") for block in _blocks(upload.key, file, 0, task["bytes_done"]))


def _remote_budget(task: Row) -> RemoteBudget | None:
    """Return the budget for remote calls, or None if no operation of the catalog is remote."""
    if not any(operation.is_remote() for operation in CATALOG.values()):
        return None
    credit = task["balance"] if task["task_credit"] is None else min(task["balance"], task["task_credit"])
    return RemoteBudget(credit, {row["type"]: row["cost"] for row in database.run("prices")})


def _emit_metrics(outcome: Outcome, totals: ChunkTotals) -> None:
    """Emit a committed chunk's business metrics."""
    if totals.rows:
        metrics.emit(RowsBilled=totals.billed, RowsRefused=len(totals.error_lines), BatchCredits=totals.spent)
    if outcome is Outcome.OUT_OF_CREDIT:
        metrics.emit(TasksOutOfCredit=1)
    elif outcome is Outcome.TOO_MANY_BAD_ROWS:
        metrics.emit(TasksFailed=1)


def _start(upload: Upload, file: _File) -> Row:
    with UnitOfWork() as uow:
        owner = uow.one("lock_task", id=upload.task_id, user_id=upload.user_id)
        task = uow.one(
            "start_task",
            id=upload.task_id,
            user_id=upload.user_id,
            bytes_total=file.size,
            etag=file.etag,
        )
        uow.commit()
    if task is None or owner is None:
        raise InvalidMessage(f"there is no task {upload.task_id}")
    return {**task, **owner}


def _fail(upload: Upload, reason: str) -> End:
    if database.one("fail_task", id=upload.task_id, error=reason, announced=upload.announced):
        metrics.emit(TasksFailed=1)
    return End.FAILED


def _head(key: str) -> _File | None:
    try:
        head = aws.s3().head_object(Bucket=settings().bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    return _File(head["ContentLength"], head["ETag"])


def _blocks(key: str, file: _File, start: int, end: int | None = None) -> Iterator[bytes]:
    """Yield the file's bytes from `start` to before `end`. S3 rejects the request for a replaced file."""
    if start >= file.size:
        return
    last = "" if end is None else end - 1
    response = aws.s3().get_object(
        Bucket=settings().bucket, Key=key, Range=f"bytes={start}-{last}", IfMatch=file.etag
    )
    yield from response["Body"].iter_chunks(BLOCK)


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, each computed in a thread while the caller processes the previous one."""
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, items, None)
        while (item := pending.result()) is not None:
            pending = pool.submit(next, items, None)
            yield item
