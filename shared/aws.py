"""The bucket and the queue. Only functions that use them import this: boto3 is dear at a cold start."""

import json
import logging
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.addresses import skip_unreachable_ipv4
from shared.errors import ServiceUnavailable
from shared.settings import settings
from shared.tracing import trace_client

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

LINK_LIFETIME = 15 * 60
"""Seconds that a presigned upload or download is good for."""
CSV = "text/csv"

# However loud a deployer makes the log: at DEBUG it writes down the signature and token of each request.
logging.getLogger("botocore").setLevel(logging.INFO)

TRIES = 3
CALL_TIMEOUT = 3.0
"""Seconds for each try of what somebody waits for; all tries end within the functions' 15 seconds."""
STREAM_TIMEOUT = 10.0
"""Seconds for each try of the worker's reading and writing, and between two of its bytes."""

_CALL = Config(
    connect_timeout=CALL_TIMEOUT,
    read_timeout=CALL_TIMEOUT,
    retries={"total_max_attempts": TRIES, "mode": "standard"},
)
# Signature version 4 has to be asked for: boto3 signs POSTs with version 2 by default.
_S3 = _CALL.merge(
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        # Whatever AWS_USE_DUALSTACK_ENDPOINT says for SQS: S3's IPv6 addresses lead past its endpoint
        # in the VPC.
        use_dualstack_endpoint=False,
    )
)


@cache
def s3(read_timeout: float = STREAM_TIMEOUT) -> "S3Client":
    """The client of the bucket; `read_timeout` in seconds."""
    config = _S3.merge(Config(read_timeout=read_timeout))
    client: S3Client = boto3.client("s3", config=config, endpoint_url=settings().aws_endpoint_url)
    trace_client(client)
    return client


@cache
def sqs() -> "SQSClient":
    """The client of the queue."""
    skip_unreachable_ipv4()
    client: SQSClient = boto3.client("sqs", config=_CALL, endpoint_url=settings().aws_endpoint_url)
    trace_client(client)
    return client


def upload_key(user_id: UUID, task_id: UUID) -> str:
    """Where a task's file is."""
    return f"uploads/{user_id}/{task_id}.csv"


def results_key(user_id: UUID, task_id: UUID) -> str:
    """Where a task's results are."""
    return f"results/{user_id}/{task_id}.csv"


def store(key: str, content: bytes) -> None:
    """Put a small file into the bucket. Raises: ServiceUnavailable."""
    try:
        s3(CALL_TIMEOUT).put_object(Bucket=settings().bucket, Key=key, Body=content, ContentType=CSV)
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("S3") from error


def grant_upload(key: str, size: int) -> dict[str, Any]:
    """A presigned POST (`url`, `fields`) for this key, up to `size` bytes of CSV."""
    return s3().generate_presigned_post(
        settings().bucket,
        key,
        Fields={"Content-Type": CSV},
        Conditions=[{"Content-Type": CSV}, ["content-length-range", 0, size]],
        ExpiresIn=LINK_LIFETIME,
    )


def grant_download(key: str, filename: str) -> str:
    """A presigned URL that downloads an object under a file name of plain characters."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in filename)
    return s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings().bucket,
            "Key": key,
            "ResponseContentDisposition": f'attachment; filename="{plain}"',
        },
        ExpiresIn=LINK_LIFETIME,
    )


def enqueue(key: str, delay: int = 0) -> None:
    """Send the worker to an object: as S3 does for a new one, but as ourselves.

    Args:
        key: the object.
        delay: seconds until the message is seen.

    Raises:
        ServiceUnavailable.
    """
    record = {
        "eventSource": "restcalculator",
        "s3": {"bucket": {"name": settings().bucket}, "object": {"key": quote_plus(key, safe="/")}},
    }
    try:
        sqs().send_message(
            QueueUrl=settings().queue_url, MessageBody=json.dumps({"Records": [record]}), DelaySeconds=delay
        )
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("SQS") from error


def show_again(receipt: str, seconds: int) -> None:
    """Let a message that was received be seen again that soon; when SQS can't, it is as late as ever."""
    with suppress(BotoCoreError, ClientError):
        sqs().change_message_visibility(
            QueueUrl=settings().queue_url, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )


def _unavailable(service: str) -> ServiceUnavailable:
    return ServiceUnavailable(f"{service} can't be reached just now.", headers={"Retry-After": "5"})
