"""The result CSV: streamed from Postgres into a multipart upload, in constant memory."""

from typing import TYPE_CHECKING
from uuid import UUID

from shared.aws import CSV, s3
from shared.database import statement_text
from shared.settings import settings
from shared.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_SIZE = 5 * 1024 * 1024
"""Bytes: the smallest part that S3 takes, for one is held in memory; 10,000 of them are 50 GB."""

ROWS_AT_ONCE = 10_000
"""Rows that one statement reads: Postgres sorts them in memory. All at once it would sort on its disk,
and say nothing for longer than we wait."""
HEADER = b"row,operation,arguments,result,amount,user_balance,error\n"


class MultipartUpload:
    """A sink (`write`) that ends up as one S3 object, which appears whole at `complete` or never."""

    def __init__(self, key: str) -> None:
        self._bucket, self._key = settings().bucket, key
        created = s3().create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=CSV)
        self._upload_id = created["UploadId"]
        self._buffer = bytearray()
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, data: bytes) -> None:
        """Take some bytes; send them on when they fill a part."""
        self._buffer += data
        if len(self._buffer) >= PART_SIZE:
            self._send()

    def complete(self) -> None:
        """Make the object."""
        self._send()
        s3().complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            MultipartUpload={"Parts": self._parts},
        )

    def abort(self) -> None:
        """Forget what was sent."""
        s3().abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)

    def _send(self) -> None:
        number = len(self._parts) + 1
        part = s3().upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=self._buffer,  # type: ignore[arg-type]  # botocore takes a bytearray as it is
        )
        self._parts.append({"ETag": part["ETag"], "PartNumber": number})
        self._buffer = bytearray()


def write_results(uow: UnitOfWork, task_id: UUID, rows: int, key: str) -> None:
    """Write a finished task's results; the same again when it is done again.

    Args:
        rows: how many the task has.

    Raises:
        DomainError, ClientError, BotoCoreError: then there is no object, and it can be tried again.
    """
    upload = MultipartUpload(key)
    try:
        upload.write(HEADER)
        for first in range(1, rows + 1, ROWS_AT_ONCE):
            sql = statement_text("results").replace("{task_id}", str(task_id))
            last = first + ROWS_AT_ONCE - 1
            uow.database.copy_out(sql.replace("{first}", str(first)).replace("{last}", str(last)), upload)
        upload.complete()
    except BaseException:
        upload.abort()
        raise
