"""The result CSV: streamed from Postgres into a multipart upload, in constant memory and any number of
turns. It appears whole or never, and is the same when it is made again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from botocore.exceptions import ClientError

from shared.aws import CSV, s3
from shared.database.connection import Row, statement_text
from shared.database.unit_of_work import UnitOfWork
from shared.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_SIZE = 5 * 1024 * 1024
"""Bytes: the smallest part that S3 takes, for one is held in memory; 10,000 of them are 50 GB."""

ROWS_AT_ONCE = 10_000
"""Rows that one statement reads: Postgres sorts them in memory. All at once it would sort on its disk,
and say nothing for longer than we wait."""
HEADER = b"row,operation,arguments,result,amount,user_balance,error\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the results are written: the upload, its parts, and the next row, from 1."""

    upload_id: str | None
    parts: int
    row: int

    @classmethod
    def of(cls, task: Row) -> "Checkpoint":
        return cls(task["results_upload"], task["results_parts"], task["results_row"])


class MultipartUpload:
    """A sink (`write`) that ends up as one S3 object, which appears whole at `complete` or never."""

    def __init__(self, key: str, upload_id: str | None = None, parts: int = 0) -> None:
        """Go on with an upload after its first `parts` parts, or begin one.

        Raises: ClientError, NoSuchUpload when it was completed or forgotten.
        """
        self._bucket, self._key = settings().bucket, key
        self._buffer = bytearray()
        self._parts: list[CompletedPartTypeDef] = []
        if upload_id is None:
            created = s3().create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=CSV)
            self.id = created["UploadId"]
            return
        self.id = upload_id
        pages = s3().get_paginator("list_parts").paginate(Bucket=self._bucket, Key=key, UploadId=upload_id)
        known = [part for page in pages for part in page.get("Parts", [])]
        self._parts = [
            {"ETag": p["ETag"], "PartNumber": p["PartNumber"]} for p in known if p["PartNumber"] <= parts
        ]

    @property
    def parts(self) -> int:
        return len(self._parts)

    @property
    def full(self) -> bool:
        """Whether what is held makes a part."""
        return len(self._buffer) >= PART_SIZE

    def write(self, data: bytes) -> None:
        self._buffer += data

    def send(self) -> None:
        """Send what is held as the next part."""
        number = len(self._parts) + 1
        part = s3().upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self.id,
            PartNumber=number,
            Body=self._buffer,  # type: ignore[arg-type]  # botocore takes a bytearray as it is
        )
        self._parts.append({"ETag": part["ETag"], "PartNumber": number})
        self._buffer = bytearray()

    def complete(self) -> None:
        """Send the rest and make the object."""
        if self._buffer:
            self.send()
        s3().complete_multipart_upload(
            Bucket=self._bucket, Key=self._key, UploadId=self.id, MultipartUpload={"Parts": self._parts}
        )

    def abort(self) -> None:
        """Forget what was sent."""
        s3().abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self.id)


class Fenced(Exception):
    """Another worker writes these results, or the task was cancelled."""


def write_results(
    uow: UnitOfWork, task_id: UUID, rows: int, key: str, done: Checkpoint, out_of_time: Callable[[], bool]
) -> bool:
    """Write a finished task's results, or some more parts of them.

    Args:
        rows: how many the task has.
        done: where an earlier worker left off.
        out_of_time: asked after each part.

    Returns:
        Whether they are whole.

    Raises:
        Fenced; DomainError, ClientError, BotoCoreError: then it can be tried again.
    """
    upload, row = _go_on(key, done)
    checkpoint = done.row
    try:
        if row == 1:
            upload.write(HEADER)
        while row <= rows:
            uow.database.copy_out(_statement(task_id, row), upload)
            row += ROWS_AT_ONCE
            if upload.full and row <= rows:
                upload.send()
                if not _keep(uow, task_id, upload, checkpoint, row):
                    raise Fenced
                checkpoint = row
                if out_of_time():
                    return False
        upload.complete()
    except BaseException:
        if checkpoint == 1:  # nobody knows of it: there is nothing to go on with
            upload.abort()
        raise
    return True


def _go_on(key: str, done: Checkpoint) -> tuple[MultipartUpload, int]:
    """The upload and its next row; from the beginning where the earlier one is not there any more."""
    try:
        upload = MultipartUpload(key, done.upload_id, done.parts)
        if upload.parts == done.parts:
            return upload, done.row
    except ClientError as error:
        if done.upload_id is None or error.response["Error"]["Code"] != "NoSuchUpload":
            raise
    return MultipartUpload(key), 1


def _keep(uow: UnitOfWork, task_id: UUID, upload: MultipartUpload, row: int, next_row: int) -> bool:
    """Move the checkpoint, if it is still where we know it."""
    kept = uow.one(
        "checkpoint_results",
        id=task_id,
        upload_id=upload.id,
        parts=upload.parts,
        row=row,
        next_row=next_row,
    )
    return kept is not None


def _statement(task_id: UUID, first: int) -> str:
    sql = statement_text("results").replace("{task_id}", str(task_id))
    return sql.replace("{first}", str(first)).replace("{last}", str(first + ROWS_AT_ONCE - 1))
