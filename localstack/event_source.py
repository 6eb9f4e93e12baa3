"""Lambda's SQS event source mapping: polls the work queue and invokes the worker, batch size 1.

`python -m localstack.event_source` runs until it is told to end. As on Lambda the poller stands
outside of the environment that runs the function: it survives a crash, and ends what takes too long.
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
from localstack.settings import CannotStart, Settings

FUNCTION = "worker"
# No longer: an emulator that is to end waits for the polls that are going on.
LONG_POLL = 1

Message = Any


@dataclass(frozen=True)
class Queue:
    """The work queue as the poller uses it. A message is invisible for `visibility` seconds at a time,
    prolonged while it is being worked on: after a crash of everything it comes back that soon."""

    cloud: Cloud
    url: str
    arn: str
    visibility: int
    retry: int

    def receive(self) -> Message | None:
        answer = self.cloud.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=LONG_POLL,
            VisibilityTimeout=self.visibility,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return next(iter(answer.get("Messages", [])), None)

    def delete(self, message: Message) -> None:
        self.cloud.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def show_again_in(self, message: Message, seconds: int) -> None:
        self.cloud.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


class Poller:
    """One of the pollers, with the execution environment that it keeps for its invocations."""

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
                print(f"the queue can't be used, trying again: {error}")
                self._stopping.wait(1)
        self._idle.set()

    def stop(self) -> None:
        """Interrupts an invocation, and waits until its message is given back to the queue."""
        self._environment.kill()
        self._idle.wait(1)

    def _process(self, message: Message) -> None:
        started, attempt = time.monotonic(), message["Attributes"]["ApproximateReceiveCount"]
        event = {"Records": [record(message, self._queue.arn, self._region)]}
        name = f"message {message['MessageId']} (delivery {attempt})"
        try:
            answer = self._environment.invoke(event, self._heartbeat(message))
            check_answer(answer, message["MessageId"])
        except InvocationFailed as failure:
            retry = 0 if self._stopping.is_set() else self._queue.retry
            self._queue.show_again_in(message, retry)
            print(f"{name} failed, again in {retry} s: {failure}")
        else:
            self._queue.delete(message)
            print(f"{name} done in {(time.monotonic() - started) * 1000:.0f} ms")

    def _heartbeat(self, message: Message) -> tuple[float, Callable[[], None]]:
        """Whatever becomes of the queue, the function goes on, as on Lambda: its message may come twice."""
        visibility = self._queue.visibility

        def beat() -> None:
            with suppress(BotoCoreError, ClientError):
                self._queue.show_again_in(message, visibility)

        return visibility / 3, beat


def record(message: Message, queue_arn: str, region: str) -> dict[str, Any]:
    """One SQS message as a record of Lambda's event."""
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


def check_answer(answer: Any, message_id: str) -> None:
    """Raises: InvocationFailed when the answer names the message, or names one that was not sent."""
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if failures is None or failures == []:
        return
    if failures == [{"itemIdentifier": message_id}]:
        raise InvocationFailed("reported in batchItemFailures")
    raise InvocationFailed(f"batchItemFailures is not understood: {failures!r}")


def connect(settings: Settings) -> Queue:
    """Return the work queue, created if need be. Raises: CannotStart, BotoCoreError, ClientError."""
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
    lifeline.tell_ready()
    lifeline.wait_for_end()
    stopping.set()
    for poller in pollers:
        poller.stop()


if __name__ == "__main__":
    main()
