"""Write one S3 object in parts, without holding it in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws import CSV, s3
from shared.errors import ServiceUnavailable
from shared.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_SIZE = 5 * 1024 * 1024
"""Bytes. One part is held in memory, so it is S3's smallest; S3's limit of 10,000 parts allows 50 GB."""
BUFFER_SIZE = 4 * PART_SIZE
"""Bytes that a writer holds in memory at most, however many it receives between two checkpoints."""


@contextmanager
def s3_errors_as_domain_errors() -> Iterator[None]:
    """Raise ServiceUnavailable for an error of S3 in the block, so that SQS retries the message."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable(f"S3: {error}") from error


class S3ObjectWriter:
    """A file-like object whose bytes become one S3 object at `complete`. Before that, it does not exist.

    As a context manager it deletes the uploaded parts after an error in the block, unless the upload
    `has_checkpoint`: then another worker can continue it.
    """

    def __init__(self, key: str, upload_id: str | None = None, parts: int = 0, media_type: str = CSV) -> None:
        """Continue a multipart upload after its first `parts` parts, or start one.

        Raises: ClientError with the code NoSuchUpload if the upload was completed or aborted.
        """
        self._bucket, self._key = settings().bucket, key
        self.has_checkpoint = upload_id is not None
        self._buffer = bytearray()
        self._parts: list[CompletedPartTypeDef] = []
        if upload_id is None:
            created = s3().create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=media_type)
            self.upload_id = created["UploadId"]
            return
        self.upload_id = upload_id
        pages = s3().get_paginator("list_parts").paginate(Bucket=self._bucket, Key=key, UploadId=upload_id)
        known = [part for page in pages for part in page.get("Parts", [])]
        self._parts = [
            {"ETag": p["ETag"], "PartNumber": p["PartNumber"]} for p in known if p["PartNumber"] <= parts
        ]

    @property
    def parts(self) -> int:
        """The number of parts uploaded."""
        return len(self._parts)

    @property
    def has_full_part(self) -> bool:
        """Whether the buffer holds enough for a part."""
        return len(self._buffer) >= PART_SIZE

    def write(self, data: bytes) -> None:
        """Append to the buffer. Upload a full buffer, except for a last part that a checkpoint can upload."""
        self._buffer += data
        if len(self._buffer) >= BUFFER_SIZE:
            rest = self._buffer[-PART_SIZE:]
            del self._buffer[-PART_SIZE:]
            self.upload_part()
            self._buffer = rest

    def upload_part(self) -> None:
        """Upload the buffer as the next part."""
        number = len(self._parts) + 1
        part = s3().upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self.upload_id,
            PartNumber=number,
            Body=self._buffer,  # type: ignore[arg-type]  # botocore accepts a bytearray; its stubs do not
        )
        self._parts.append({"ETag": part["ETag"], "PartNumber": number})
        self._buffer = bytearray()

    def complete(self) -> None:
        """Upload the rest of the buffer and create the object."""
        if self._buffer or not self._parts:  # an empty object has one empty part
            self.upload_part()
        s3().complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self.upload_id,
            MultipartUpload={"Parts": self._parts},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not self.has_checkpoint:
            s3().abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self.upload_id)


def resume_writer(
    key: str, upload_id: str | None, parts: int, media_type: str = CSV
) -> tuple[S3ObjectWriter, bool]:
    """Continue an upload after its first `parts` parts, or start one if S3 lost the upload or a part.

    Returns:
        The writer, and whether it continues the upload.
    """
    if upload_id is not None:
        try:
            writer = S3ObjectWriter(key, upload_id, parts)
            if writer.parts == parts:
                return writer, True
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
    return S3ObjectWriter(key, media_type=media_type), False
