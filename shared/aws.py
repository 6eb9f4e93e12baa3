"""S3 and SQS. Only functions that use them import this module: importing boto3 slows a cold start."""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import ServiceUnavailable
from shared.settings import settings
from shared.socket_addresses import skip_unreachable_ipv4
from shared.tracing import trace_client

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

LINK_LIFETIME = 15 * 60
"""Seconds until a presigned upload or download expires."""
CSV = "text/csv"

# At DEBUG, botocore logs the signature and the session token of each request.
logging.getLogger("botocore").setLevel(logging.INFO)

ATTEMPTS = 3
"""Maximum number of attempts of one call."""
CALL_TIMEOUT = 3.0
"""Seconds for each attempt in a function that serves a request, so that all attempts end within its 15 s."""
STREAM_TIMEOUT = 10.0
"""Seconds for each attempt when the worker reads or writes an object, and between two bytes of it."""

_CALL = Config(
    connect_timeout=CALL_TIMEOUT,
    read_timeout=CALL_TIMEOUT,
    retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
)
# By default, boto3 presigns POSTs with signature version 2.
_S3 = _CALL.merge(
    Config(
        signature_version="s3v4",
        # The same host in every region. By default, us-east-1 has the global one.
        s3={"addressing_style": "path", "us_east_1_regional_endpoint": "regional"},
        # AWS_USE_DUALSTACK_ENDPOINT is for SQS only: S3's IPv6 addresses bypass its VPC endpoint.
        use_dualstack_endpoint=False,
    )
)


@cache
def s3(read_timeout: float = STREAM_TIMEOUT) -> "S3Client":
    """Return the S3 client. `read_timeout` is in seconds."""
    config = _S3.merge(Config(read_timeout=read_timeout))
    client: S3Client = boto3.client("s3", config=config, endpoint_url=settings().aws_endpoint_url)
    trace_client(client)
    return client


@cache
def sqs() -> "SQSClient":
    """Return the SQS client."""
    skip_unreachable_ipv4()
    client: SQSClient = boto3.client("sqs", config=_CALL, endpoint_url=settings().aws_endpoint_url)
    trace_client(client)
    return client


def upload_key(user_id: UUID, task_id: UUID) -> str:
    """Return the S3 key of a task's uploaded file."""
    return f"uploads/{user_id}/{task_id}.csv"


def results_key(user_id: UUID, task_id: UUID, finished_at: datetime | None = None) -> str:
    """Return the S3 key of a task's results.

    Args:
        finished_at: when the task ended, if it did not complete. Each end has its own key, so that a late
            worker can't replace the results of a later end.
    """
    end = f"-{finished_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}" if finished_at else ""
    return f"results/{user_id}/{task_id}{end}.csv"


def export_key(user_id: UUID, export_id: UUID, format: str) -> str:
    """Return the S3 key of an export's file."""
    return f"exports/{user_id}/{export_id}.{format}"


def store(key: str, content: bytes) -> None:
    """Store a small CSV file in the bucket. Raises: ServiceUnavailable."""
    try:
        s3(CALL_TIMEOUT).put_object(Bucket=settings().bucket, Key=key, Body=content, ContentType=CSV)
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("S3") from error


def presign_upload(key: str, size: int) -> dict[str, Any]:
    """Return a presigned POST (`url`, `fields`) for a CSV of at most `size` bytes."""
    return s3().generate_presigned_post(
        settings().bucket,
        key,
        Fields={"Content-Type": CSV},
        Conditions=[{"Content-Type": CSV}, ["content-length-range", 0, size]],
        ExpiresIn=LINK_LIFETIME,
    )


def presign_download(key: str, filename: str) -> str:
    """Return a presigned URL that downloads an object. Special characters of the file name become `_`."""
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
    """Send the worker a message about an uploaded file or an export, in the form of S3's events.

    Args:
        key: the S3 key of the file.
        delay: seconds until SQS delivers the message.

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


def request_dispatch() -> None:
    """Invoke the dispatcher of webhooks. If this fails, its schedule invokes it within a minute."""
    with suppress(ServiceUnavailable):
        send_messages(settings().dispatch_queue_url, ["{}"])


def send_messages(queue_url: str, bodies: Sequence[str]) -> list[int]:
    """Send at most 10 messages to a queue.

    Returns:
        The indexes of the messages that SQS rejected, if it accepted others.

    Raises:
        ServiceUnavailable: SQS accepted none, or its response was lost.
    """
    entries: list[Any] = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    try:
        response = sqs().send_message_batch(QueueUrl=queue_url, Entries=entries)
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("SQS") from error
    rejected = [int(entry["Id"]) for entry in response.get("Failed", [])]
    if len(rejected) == len(bodies):
        raise _unavailable("SQS")
    return rejected


def set_visibility_timeout(receipt: str, seconds: int) -> None:
    """Make SQS deliver a message again after this time. If the call fails, the queue's timeout applies."""
    with suppress(BotoCoreError, ClientError):
        sqs().change_message_visibility(
            QueueUrl=settings().queue_url, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )


def _unavailable(service: str) -> ServiceUnavailable:
    return ServiceUnavailable(f"{service} is temporarily unavailable. Try again.", retry_after=5)
