"""Lambda's SQS event source mapping: polls the work queue and invokes the worker with batches of 1.

`python -m localstack.event_source` runs until SIGTERM. As on Lambda the poller runs in another process than
the function, so it survives a crash of the function and kills one that exceeds its timeout.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.serverless_file import Function, Service
from localstack import lifeline
from localstack.cloud import Cloud
from localstack.execution import ExecutionEnvironment, InvocationFailed
from localstack.stack_settings import CannotStart, Settings

FUNCTION = "worker"
LONG_POLL_SECONDS = 1
"""Short, because the emulator waits for pending polls when it stops."""

Message = Any


@dataclass(frozen=True)
class Queue:
    """The work queue.

    A received message is invisible for `visibility` seconds, and the poller extends that during an
    invocation. After a crash of all processes SQS therefore redelivers it within `visibility` seconds.
    `retry` is the delay in seconds after a failed invocation.
    """

    cloud: Cloud
    url: str
    arn: str
    visibility: int
    retry: int

    def receive(self) -> Message | None:
        response = self.cloud.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=LONG_POLL_SECONDS,
            VisibilityTimeout=self.visibility,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return next(iter(response.get("Messages", [])), None)

    def delete(self, message: Message) -> None:
        self.cloud.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def set_visibility(self, message: Message, seconds: int) -> None:
        """Make SQS redeliver the message in `seconds`, unless the timeout changes again or it is deleted."""
        self.cloud.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


class Poller:
    """Receives messages and invokes the function, in an execution environment that it reuses."""

    def __init__(self, queue: Queue, function: Function, region: str, stopping: threading.Event) -> None:
        self._queue, self._function, self._region = queue, function, region
        self._stopping = stopping
        self._environment = ExecutionEnvironment(function)
        self._idle = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._idle.set()
                message = self._queue.receive()
                self._idle.clear()
                if message:
                    self._process(message)
            except Exception as error:
                print(f"the queue is unreachable, retrying in 1 s: {error}")
                self._stopping.wait(1)
        self._idle.set()

    def stop(self) -> None:
        """Kill a running invocation, and wait until its message is visible in the queue again."""
        self._environment.kill()
        self._idle.wait(1)

    def _process(self, message: Message) -> None:
        started, attempt = time.monotonic(), message["Attributes"]["ApproximateReceiveCount"]
        event = {"Records": [record(message, self._queue.arn, self._region)]}
        name = f"message {message['MessageId']} (delivery {attempt})"
        try:
            response = self._environment.invoke(event, self._heartbeat(message))
            check_response(response, message["MessageId"])
        except InvocationFailed as failure:
            retry = 0 if self._stopping.is_set() else self._queue.retry
            self._queue.set_visibility(message, retry)
            print(f"{name} failed, retry in {retry} s: {failure}")
        else:
            self._queue.delete(message)
            print(f"{name} done in {(time.monotonic() - started) * 1000:.0f} ms")

    def _heartbeat(self, message: Message) -> tuple[float, Callable[[], None]]:
        """Return the interval in seconds and the function that keep the message invisible.

        It ignores errors: as on Lambda, the worker continues and SQS may redeliver the message.
        """
        visibility = self._queue.visibility

        def beat() -> None:
            with suppress(BotoCoreError, ClientError):
                self._queue.set_visibility(message, visibility)

        return visibility / 3, beat


def record(message: Message, queue_arn: str, region: str) -> dict[str, Any]:
    """Return an SQS message as a record of Lambda's event."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def check_response(response: Any, message_id: str) -> None:
    """Raise InvocationFailed if the response reports the message as failed, or reports an unknown message."""
    failures = response.get("batchItemFailures") if isinstance(response, dict) else None
    if failures is None or failures == []:
        return
    if failures == [{"itemIdentifier": message_id}]:
        raise InvocationFailed("reported in batchItemFailures")
    raise InvocationFailed(f"batchItemFailures is invalid: {failures!r}")


def connect(settings: Settings) -> Queue:
    """Create the work queue if it is missing, and return it.

    Raises: CannotStart, BotoCoreError or ClientError.
    """
    cloud = Cloud.connect(os.environ)
    cloud.wait_until_ready(settings.start_timeout)
    own_pages = [f"http://{host}:{settings.port}" for host in ("localhost", "127.0.0.1")]
    url = cloud.prepare(os.environ["FRONTEND_URL"], *own_pages)
    return Queue(cloud, url, cloud.queue_arn(url), settings.batch_visibility, settings.batch_retry)


def main() -> None:
    lifeline.hold()
    stopping = threading.Event()
    settings = Settings.from_environment(os.environ)
    try:
        queue = connect(settings)
    except (BotoCoreError, ClientError, CannotStart) as error:
        sys.exit(str(error))  # `make up` shows it
    function = Service.load(settings.service_file, os.environ).functions[FUNCTION]
    pollers = [
        Poller(queue, function, os.environ["AWS_REGION"], stopping) for _ in range(settings.batch_workers)
    ]
    for poller in pollers:
        threading.Thread(target=poller.run, daemon=True).start()
    lifeline.signal_ready()
    lifeline.wait_for_end()
    stopping.set()
    for poller in pollers:
        poller.stop()


if __name__ == "__main__":
    main()
