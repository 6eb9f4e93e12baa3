"""S3 and SQS: the emulators' settings, and the bucket, queues and notification of the stack."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.bucket import empty_bucket
from localstack.context import ACCOUNT
from localstack.stack_settings import CannotStart

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

BUCKET = "buckeeto"
QUEUE = "opworker"
DEAD_LETTER_QUEUE = "opworker-dlq"
WEBHOOK_DEAD_LETTER_QUEUE = "opworker-webhooks-dlq"
QUEUES = {
    "WorkQueue": QUEUE,
    "DispatchQueue": "opworker-dispatch",
    "SendQueue": "opworker-send",
    "ReportQueue": "opworker-report",
}
"""The queues that invoke functions, by their names in the template."""
UPLOADS = "uploads/"
MAX_RECEIVES = 5
"""Deliveries of a message, after which SQS moves it to the dead-letter queue."""
VISIBILITY_TIMEOUT_SECONDS = 6 * 900
"""AWS recommends six times the function's timeout for a Lambda event source."""

EDGE_HOST = "127.0.0.1"
"""The emulator listens on this machine only, because it requires no password."""
CONFIRMATION_SECONDS = 10.0
"""Time limit for S3 to send the test event of a new notification."""


def ministack_environment(port: int, folder: Path) -> dict[str, str]:
    """Return MiniStack's settings: S3 and SQS only, with its state in `folder`."""
    return {
        "BIND_HOST": EDGE_HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": "s3,sqs",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "LOG_LEVEL": "WARNING",
    }


def localstack_environment(python: str, port: int, folder: Path) -> dict[str, str]:
    """Return the settings of LocalStack without Docker: S3 and SQS only, no downloads, no telemetry."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "LOCALSTACK_PYTHON": python,
        "SERVICES": "s3,sqs",
        "GATEWAY_LISTEN": f"{EDGE_HOST}:{port}",
        "FILESYSTEM_ROOT": str(folder),
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "S3_SKIP_SIGNATURE_VALIDATION": "0",
    }


def queue_url(endpoint: str, access_key: str, queue: str = QUEUE) -> str:
    """Return the URL of a queue. Emulators use an access key of 12 digits as the account id."""
    account = access_key if len(access_key) == 12 and access_key.isdigit() else ACCOUNT
    return f"{endpoint.rstrip('/')}/{account}/{queue}"


@dataclass(frozen=True)
class Cloud:
    """Clients of S3 and SQS at one endpoint, of MiniStack or LocalStack."""

    s3: "S3Client"
    sqs: "SQSClient"

    @classmethod
    def connect(cls, environment: Mapping[str, str]) -> "Cloud":
        """Return clients for the endpoint, region and credentials of the functions' environment."""
        import boto3
        from botocore.config import Config

        options: Any = {
            "endpoint_url": environment["AWS_ENDPOINT_URL"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": environment.get("AWS_SESSION_TOKEN"),
            "region_name": environment["AWS_REGION"],
        }
        config = Config(connect_timeout=5, retries={"max_attempts": 2})
        path_style = config.merge(Config(s3={"addressing_style": "path"}))
        # By boto3's default session, which keeps the descriptions of S3 and SQS that it has read.
        return cls(
            boto3.client("s3", **options, config=path_style), boto3.client("sqs", **options, config=config)
        )

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until S3 responds. Raises: the last ClientError or BotoCoreError after `timeout` seconds."""
        from botocore.exceptions import BotoCoreError, ClientError

        deadline = time.monotonic() + timeout
        while True:
            try:
                self.s3.list_buckets()
                return
            except (BotoCoreError, ClientError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def prepare(self, *origins: str) -> str:
        """Create the bucket, queues and notification that are missing, and return the URL of the work queue.

        Args:
            origins: the origins whose pages may use the bucket.

        Raises: CannotStart if S3 does not send to that queue.
        """
        queue = ""
        dead_letters = {
            name: self._queue(name, {}) for name in (DEAD_LETTER_QUEUE, WEBHOOK_DEAD_LETTER_QUEUE)
        }
        for name in reversed(QUEUES.values()):
            target = dead_letters[DEAD_LETTER_QUEUE if name == QUEUE else WEBHOOK_DEAD_LETTER_QUEUE]
            redrive = {"deadLetterTargetArn": self.queue_arn(target), "maxReceiveCount": MAX_RECEIVES}
            queue = self._queue(
                name,
                {"VisibilityTimeout": str(VISIBILITY_TIMEOUT_SECONDS), "RedrivePolicy": json.dumps(redrive)},
            )
        self._bucket(origins)
        self._notify(queue)
        return queue

    def empty(self) -> None:
        """Delete every object and every message."""
        empty_bucket(self.s3, BUCKET)
        for name in (*QUEUES.values(), DEAD_LETTER_QUEUE, WEBHOOK_DEAD_LETTER_QUEUE):
            self.sqs.purge_queue(QueueUrl=self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def close(self) -> None:
        self.s3.close()
        self.sqs.close()

    def queue_arn(self, url: str) -> str:
        response = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return response["Attributes"]["QueueArn"]

    def _queue(self, name: str, attributes: dict[str, str]) -> str:
        """Create a queue if it is missing, and set its attributes.

        Two calls, because SQS rejects the creation of an existing queue with other attributes.
        """
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        if attributes:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)  # type: ignore[arg-type]
        return url

    def _bucket(self, origins: tuple[str, ...]) -> None:
        """Create the bucket with the CORS rule of `resources/batch.yml`.

        LocalStack and S3 apply the rule. MiniStack allows every origin, but no credentials. Presigned URLs
        need no credentials, so they work with all three.
        """
        if BUCKET not in [bucket.get("Name") for bucket in self.s3.list_buckets()["Buckets"]]:
            self.s3.create_bucket(Bucket=BUCKET)
        rule: Any = {
            "AllowedOrigins": list(origins),
            "AllowedMethods": ["GET", "POST"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["Content-Disposition"],
        }
        self.s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})

    def _notify(self, queue: str) -> None:
        """Configure S3 to send upload events to the queue, and wait for its s3:TestEvent.

        Without the events every upload would stay `queued` without an error.
        """
        before = self._messages(queue)
        rule: Any = {
            "Id": "uploads",
            "QueueArn": self.queue_arn(queue),
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": UPLOADS}]}},
        }
        self.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [rule]}
        )
        deadline = time.monotonic() + CONFIRMATION_SECONDS
        while self._messages(queue) <= before:
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"S3 does not send to the queue {queue}, so no upload would be processed. "
                    "Another queue of that name may exist. `make build-local-db` recreates all of them."
                )
            time.sleep(0.05)

    def _messages(self, queue: str) -> int:
        """Return the number of messages in the queue: visible, received and delayed ones."""
        response = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        counts: Any = response["Attributes"]
        return sum(
            int(counts[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed")
        )
