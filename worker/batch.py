"""One task: process it from its checkpoint to its end, or until this worker must stop."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared import aws, interpreter, metrics
from shared.database.connection import Row
from shared.database.unit_of_work import UnitOfWork
from shared.errors import ServiceUnavailable
from shared.operations.catalog import CATALOG
from shared.settings import settings
from worker.chunk_billing import Bill, Outcome, Position, bill_chunk
from worker.chunks import Credit, chunks
from worker.csv_rows import CsvRows, NotACsv
from worker.messages import NotUnderstood, Upload
from worker.results import Checkpoint, Fenced, write_results

HANDOVER_MARGIN = 60.0
"""Seconds of a worker's time that must be left for it to begin another chunk."""
TURN = 60.0
"""Seconds after which a worker hands its task over, so that a small file of another user waits for a large
one no longer than that, however few workers there are."""
CHUNKS_A_COLLECTION = 32
"""Chunks from one garbage collection to the next."""
BLOCK = 1024 * 1024
"""Bytes read from S3 at a time."""
UNFINISHED = ("awaiting_upload", "queued", "processing")

logger = Logger(service="restcalculator")
T = TypeVar("T")


class End(Enum):
    """How a worker left a task."""

    COMPLETED = "completed"
    OUT_OF_CREDIT = "out of credit"
    FAILED = "failed"
    NOT_RUNNING = "the task had ended before"
    IN_PROGRESS = "another worker has the task"
    TAKEN_OVER = "cancelled, or another worker took the task over"
    HANDED_OVER = "this worker's turn is over: handed over to the next one"
    WAITING = "another task of its owner is being processed"

    @property
    def frees_owner(self) -> bool:
        """Whether the owner's next task may start now."""
        return self in (End.COMPLETED, End.OUT_OF_CREDIT, End.FAILED, End.TAKEN_OVER)


@dataclass(frozen=True, slots=True)
class _File:
    size: int
    etag: str


def run_task(uow: UnitOfWork, upload: Upload, redelivered: bool, seconds_left: Callable[[], float]) -> End:
    """Bill an upload's rows from the checkpoint on.

    Args:
        redelivered: whether an earlier delivery of the same message failed or its worker died.
        seconds_left: how long this worker may still run.

    Raises:
        NotUnderstood: there is no such task.
        ServiceUnavailable: the database, S3 or random.org can't be reached; committed work stays.
    """
    try:
        if end := _nothing_to_do(uow, upload, redelivered):
            return end
        file = _head(upload.key)
        if file is None:
            return _fail(uow, upload, "The file is not there.")
        task = _start(uow, upload, file)
        if task["status"] == "queued":
            return End.WAITING
        if task["status"] != "processing":
            return End.NOT_RUNNING
        if task["etag"] != file.etag:
            return _fail(uow, upload, "The file was replaced after its processing started.")
        return _bill(uow, upload, file, task, seconds_left)
    except NotACsv as error:
        return _fail(uow, upload, str(error))
    except Fenced:
        return End.TAKEN_OVER
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable(f"S3: {error}") from error


def _nothing_to_do(uow: UnitOfWork, upload: Upload, redelivered: bool) -> End | None:
    """How the message ends if it has no work to do; None if it has some.

    This takes one or two short statements and waits for no chunk, so that a user who causes many messages
    keeps no worker busy.
    """
    task = uow.one("peek_task", id=upload.task_id, user_id=upload.user_id)
    if task is None:
        raise NotUnderstood(f"there is no task {upload.task_id}")
    if task["status"] not in UNFINISHED:
        return End.NOT_RUNNING
    # A redelivered message belonged to a worker that failed, so its task is taken over at once.
    if task["status"] == "processing" and task["has_live_worker"] and not redelivered:
        return End.IN_PROGRESS
    # Asked after the status is known: the worker that ends the other task then sees this one wait.
    if task["status"] == "queued" and task["has_file"] and _owner_is_busy(uow, upload):
        return End.WAITING
    return None


def _owner_is_busy(uow: UnitOfWork, upload: Upload) -> bool:
    return bool(uow.only("owner_is_busy", user_id=upload.user_id, id=upload.task_id)["busy"])


@interpreter.tuned_for_batch()
def _bill(
    uow: UnitOfWork,
    upload: Upload,
    file: _File,
    task: Row,
    seconds_left: Callable[[], float],
) -> End:
    turn_ends = time.monotonic() + TURN
    at = Position(task["bytes_done"], _lines_before(upload, file, task), task["rows_done"])

    def out_of_time() -> bool:
        return seconds_left() < HANDOVER_MARGIN or time.monotonic() > turn_ends

    rows = CsvRows(_blocks(upload.key, file, at.offset), at.offset, at.lines)
    if at.offset == 0:
        rows.header()
    credit = _credit(uow, task["balance"])
    for number, chunk in enumerate(_one_ahead(chunks(rows, credit)), 1):
        if number % CHUNKS_A_COLLECTION == 0:
            interpreter.collect_garbage()
        with uow:
            outcome, bill = bill_chunk(uow, upload.task_id, at, chunk)
        if outcome is Outcome.FENCED:
            return End.TAKEN_OVER
        if outcome is Outcome.OWNER_DELETED:
            return _fail(uow, upload, "The account was deleted.")
        _emit_metrics(outcome, bill)
        if outcome is not Outcome.BILLED:
            return End.OUT_OF_CREDIT if outcome is Outcome.OUT_OF_CREDIT else End.FAILED
        at = bill.end
        # If no rows remain, write the results even when time is short.
        if chunk.is_cut or (out_of_time() and (bill.rows or at.offset < file.size)):
            return _hand_over(uow, upload, at)
    key = aws.results_key(upload.user_id, upload.task_id)
    if not write_results(uow, upload.task_id, at.rows, key, Checkpoint.of(task), out_of_time):
        return _hand_over(uow, upload, at)
    if not uow.one("complete_task", id=upload.task_id):
        return End.TAKEN_OVER
    metrics.emit(TasksCompleted=1)
    return End.COMPLETED


def _hand_over(uow: UnitOfWork, upload: Upload, at: Position) -> End:
    """Let another worker go on. Only the worker whose checkpoint is the task's may send it a message."""
    released = uow.one("release_task", id=upload.task_id, bytes_done=at.offset)
    return End.HANDED_OVER if released else End.TAKEN_OVER


def _lines_before(upload: Upload, file: _File, task: Row) -> int:
    """The lines before the checkpoint: counted in the file if the task was begun by a release without
    `lines_done`."""
    if task["lines_done"] or task["bytes_done"] in (0, file.size):
        return int(task["lines_done"])
    return sum(block.count(b"\n") for block in _blocks(upload.key, file, 0, task["bytes_done"]))


def _credit(uow: UnitOfWork, balance: Decimal) -> Credit | None:
    """The credit for operations that call other services; None if the catalog has none of them."""
    if not any(operation.is_remote() for operation in CATALOG.values()):
        return None
    return Credit(balance, {row["type"]: row["cost"] for row in uow.all("prices")})


def _emit_metrics(outcome: Outcome, bill: Bill) -> None:
    """Emit a committed chunk's business metrics."""
    if bill.rows:
        metrics.emit(RowsBilled=bill.billed, RowsRefused=len(bill.refused), BatchCredits=bill.spent)
    if outcome is Outcome.OUT_OF_CREDIT:
        metrics.emit(TasksOutOfCredit=1)
    elif outcome is Outcome.TOO_MANY_BAD_ROWS:
        metrics.emit(TasksFailed=1)


def _start(uow: UnitOfWork, upload: Upload, file: _File) -> Row:
    with uow:
        uow.begin()
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
        raise NotUnderstood(f"there is no task {upload.task_id}")
    return {**task, **owner}


def _fail(uow: UnitOfWork, upload: Upload, reason: str) -> End:
    if uow.one("fail_task", id=upload.task_id, error=reason, announced=upload.announced):
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
    """The file's bytes from `start` to before `end`. S3 rejects the request if the file was replaced."""
    if start >= file.size:
        return
    last = "" if end is None else end - 1
    response = aws.s3().get_object(
        Bucket=settings().bucket, Key=key, Range=f"bytes={start}-{last}", IfMatch=file.etag
    )
    yield from response["Body"].iter_chunks(BLOCK)


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, each computed in a thread while the caller uses the one before."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
