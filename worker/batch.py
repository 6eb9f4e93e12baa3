"""One task, from its checkpoint to its end, or to where this worker must stop."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared import aws, metrics
from shared.catalog import CATALOG
from shared.database import Row
from shared.errors import ServiceUnavailable
from shared.settings import settings
from shared.unit_of_work import UnitOfWork
from worker.billing import Bill, Outcome, bill_chunk
from worker.chunks import Credit, chunks
from worker.csv_rows import CsvRows, NotACsv
from worker.messages import NotUnderstood, Upload
from worker.results import Checkpoint, Fenced, write_results

HANDOVER_MARGIN = 60.0
"""Seconds of a worker's time that must be left for it to begin another chunk."""
TURN = 60.0
"""Seconds after which a worker lets other messages come first, so that a small file waits for a
large one no longer than that, however few workers there are."""
MOST_AT_ONCE = 1
"""Tasks of one user that run at once. Their rows would only queue for the same balance."""
SWITCH_INTERVAL = 0.0002
"""Seconds after which a thread that computes lets the other one go on."""
CHUNKS_A_COLLECTION = 32
BLOCK = 1024 * 1024
"""Bytes read from S3 at a time."""

logger = Logger(service="restcalculator")
T = TypeVar("T")


class End(Enum):
    """How a worker's run of a task ended."""

    COMPLETED = "completed"
    OUT_OF_CREDIT = "out of credit"
    FAILED = "failed"
    NOT_RUNNING = "ended or cancelled before"
    TAKEN_OVER = "cancelled, or another worker went on with it"
    HANDED_OVER = "its turn is over: handed over"
    WAITING = "another task of its owner is running"


@dataclass(frozen=True, slots=True)
class _File:
    size: int
    etag: str


def run_task(uow: UnitOfWork, upload: Upload, seconds_left: Callable[[], float]) -> End:
    """Bill an upload's rows from the checkpoint on.

    Args:
        seconds_left: how long this worker may still run.

    Raises:
        NotUnderstood: there is no such task.
        ServiceUnavailable: the database, S3 or random.org is away; what was committed stands.
    """
    try:
        file = _head(upload.key)
        if file is None:
            return _fail(uow, upload, "The file is not there.")
        task = _start(uow, upload, file)
        if task["status"] == "queued":
            return End.WAITING
        if task["status"] != "processing":
            return End.NOT_RUNNING
        if task["etag"] != file.etag:
            return _fail(uow, upload, "The file was replaced after it was begun.")
        return _bill(uow, upload, file, task, seconds_left)
    except NotACsv as error:
        return _fail(uow, upload, str(error))
    except Fenced:
        return End.TAKEN_OVER
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable(f"S3: {error}") from error


@contextmanager
def _tuned_interpreter() -> Iterator[None]:
    """The interpreter, set for a batch.

    Rows make no cycles, and looking for some among thousands of tuples takes a third of the time:
    garbage is looked for now and then only, and not among what was there before. And who waits for
    Postgres gets the interpreter back at once, not after the 5 ms that the computing thread may keep it.
    """
    switching = sys.getswitchinterval()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(switching)
        gc.enable()
        gc.unfreeze()


@_tuned_interpreter()
def _bill(
    uow: UnitOfWork,
    upload: Upload,
    file: _File,
    task: Row,
    seconds_left: Callable[[], float],
) -> End:
    turn_ends = time.monotonic() + TURN
    offset, rows_done = task["bytes_done"], task["rows_done"]

    def out_of_time() -> bool:
        return seconds_left() < HANDOVER_MARGIN or time.monotonic() > turn_ends

    rows = CsvRows(_blocks(upload.key, file, offset), offset)
    if offset == 0:
        rows.header()
    credit = _credit(uow, task["balance"])
    for number, chunk in enumerate(_one_ahead(chunks(rows, credit)), 1):
        if number % CHUNKS_A_COLLECTION == 0:
            gc.collect()
        with uow:
            outcome, bill = bill_chunk(uow, upload.task_id, offset, rows_done + 1, chunk)
        if outcome is Outcome.FENCED:
            return End.TAKEN_OVER
        _tell(outcome, bill)
        if outcome is Outcome.OUT_OF_CREDIT:
            return End.OUT_OF_CREDIT
        if outcome is Outcome.OWNER_DELETED:
            return _fail(uow, upload, "The account was deleted.")
        offset, rows_done = bill.end, rows_done + bill.rows
        # Whoever finds nothing left to bill writes results, however little time there is.
        if chunk.is_cut or (out_of_time() and (bill.rows or offset < file.size)):
            return End.HANDED_OVER
    key = aws.results_key(upload.user_id, upload.task_id)
    if not write_results(uow, upload.task_id, rows_done, key, Checkpoint.of(task), out_of_time):
        return End.HANDED_OVER
    if not uow.one("complete_task", id=upload.task_id):
        return End.TAKEN_OVER
    metrics.emit(TasksCompleted=1)
    return End.COMPLETED


def _credit(uow: UnitOfWork, balance: Decimal) -> Credit | None:
    """What operations of other services may spend; None where there are none."""
    if not any(operation.is_remote() for operation in CATALOG.values()):
        return None
    return Credit(balance, {row["type"]: row["cost"] for row in uow.all("prices")})


def _tell(outcome: Outcome, bill: Bill) -> None:
    """What a committed chunk adds to the metrics."""
    if bill.rows:
        metrics.emit(RowsBilled=bill.billed, RowsRefused=len(bill.refused), BatchCredits=bill.spent)
    if outcome is Outcome.OUT_OF_CREDIT:
        metrics.emit(TasksOutOfCredit=1)


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
            most=MOST_AT_ONCE,
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


def _blocks(key: str, file: _File, offset: int) -> Iterator[bytes]:
    """The file's bytes from `offset` on; of this very version, or S3 refuses (412)."""
    if offset >= file.size:
        return
    answer = aws.s3().get_object(
        Bucket=settings().bucket, Key=key, Range=f"bytes={offset}-", IfMatch=file.etag
    )
    yield from answer["Body"].iter_chunks(BLOCK)


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, each made in a thread while the one before is being worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
