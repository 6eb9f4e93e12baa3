"""Lambda's SQS event source mappings: poll the queues and invoke the functions that serverless.yml names for
them.

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
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.serverless_file import Function, Service
from localstack import lifeline
from localstack.cloud import QUEUES, Cloud
from localstack.execution import ExecutionEnvironment, FunctionProcesses, InvocationFailed
from localstack.stack_settings import CannotStart, Settings

WORK_QUEUE = "WorkQueue"
"""The queue of the worker, by its name in the template. BATCH_WORKERS pollers serve it."""
OTHER_POLLERS = 2
"""Pollers of each other queue, so that a slow receiver of webhooks does not hold the only sender."""
LONG_POLL_SECONDS = 1
"""Short, because the emulator waits for pending polls when it stops."""

Message = Any


@dataclass(frozen=True)
class Queue:
    """A queue that invokes a function.

    A received message is invisible for `visibility` seconds, and the poller extends that during an
    invocation. After a crash of all processes SQS therefore redelivers it within `visibility` seconds.
    `retry` is the delay in seconds after a failed invocation. A poller holds `polling` while it waits for
    messages; more idle ones would only load the emulator.
    """

    cloud: Cloud
    url: str
    arn: str
    visibility: int
    retry: int
    polling: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, limit: int) -> list[Message]:
        response = self.cloud.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=LONG_POLL_SECONDS,
            VisibilityTimeout=self.visibility,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(response.get("Messages", []))

    def delete(self, message: Message) -> None:
        self.cloud.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def set_visibility(self, message: Message, seconds: int) -> None:
        """Make SQS redeliver the message in `seconds`, unless the timeout changes again or it is deleted."""
        self.cloud.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )


class Poller:
    """Receives messages and invokes the function, in an execution environment that it reuses."""

    def __init__(
        self,
        queue: Queue,
        function: Function,
        processes: FunctionProcesses,
        region: str,
        stopping: threading.Event,
    ) -> None:
        self._queue, self._function, self._region = queue, function, region
        self._stopping = stopping
        self._environment = ExecutionEnvironment(function, processes)
        self._idle = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._idle.set()
                with self._queue.polling:
                    stopped = self._stopping.is_set()
                    messages = [] if stopped else self._queue.receive(self._function.batch_size)
                    self._idle.clear()
                if messages:
                    self._process(messages)
            except Exception as error:
                print(f"the queue is unreachable, retrying in 1 s: {error}")
                self._stopping.wait(1)
        self._idle.set()

    def stop(self) -> None:
        """Kill a running invocation, and wait until its message is visible in the queue again."""
        self._environment.kill()
        self._idle.wait(1)

    def _process(self, messages: list[Message]) -> None:
        """Invoke the function with a batch. Failed messages return to the queue; all, if the call fails."""
        started, ids = time.monotonic(), {message["MessageId"] for message in messages}
        event = {"Records": [record(message, self._queue.arn, self._region) for message in messages]}
        reason = "reported in batchItemFailures"
        try:
            failed = failed_messages(self._environment.invoke(event, self._heartbeat(messages)), ids)
        except InvocationFailed as failure:
            failed, reason = ids, str(failure)
        for message in messages:
            attempt = message["Attributes"]["ApproximateReceiveCount"]
            name = f"message {message['MessageId']} (delivery {attempt})"
            if message["MessageId"] in failed:
                retry = 0 if self._stopping.is_set() else self._queue.retry
                self._queue.set_visibility(message, retry)
                print(f"{name} failed, retry in {retry} s: {reason}")
            else:
                self._queue.delete(message)
                print(f"{name} done in {(time.monotonic() - started) * 1000:.0f} ms")

    def _heartbeat(self, messages: list[Message]) -> tuple[float, Callable[[], None]]:
        """Return the interval in seconds and the function that keep the messages invisible.

        It ignores errors: as on Lambda, the function continues and SQS may redeliver a message.
        """
        visibility = self._queue.visibility

        def beat() -> None:
            for message in messages:
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


def failed_messages(response: Any, ids: set[str]) -> set[str]:
    """Return the messages that a response reports as failed. Raises: InvocationFailed if one is unknown."""
    failures = response.get("batchItemFailures") if isinstance(response, dict) else None
    if failures is None or failures == []:
        return set()
    try:
        failed = {failure["itemIdentifier"] for failure in failures}
    except (KeyError, TypeError):
        raise InvocationFailed(f"batchItemFailures is invalid: {failures!r}") from None
    if not failed <= ids:
        raise InvocationFailed(f"batchItemFailures is invalid: {failures!r}")
    return failed


def connect(settings: Settings) -> dict[str, Queue]:
    """Create the queues that are missing, and return them by their names in the template.

    Raises: CannotStart, BotoCoreError or ClientError.
    """
    cloud = Cloud.connect(os.environ)
    cloud.wait_until_ready(settings.start_timeout)
    own_pages = [f"http://{host}:{settings.port}" for host in ("localhost", "127.0.0.1")]
    cloud.prepare(os.environ["FRONTEND_URL"], *own_pages)
    urls = {name: cloud.sqs.get_queue_url(QueueName=queue)["QueueUrl"] for name, queue in QUEUES.items()}
    return {
        name: Queue(cloud, url, cloud.queue_arn(url), settings.batch_visibility, settings.batch_retry)
        for name, url in urls.items()
    }


def pollers_of(queue: str, batch_workers: int) -> int:
    """Return the number of pollers of a queue. Without workers, a test delivers all messages itself."""
    return batch_workers if queue == WORK_QUEUE else min(batch_workers, OTHER_POLLERS)


def main() -> None:
    processes = FunctionProcesses()  # before the first thread
    lifeline.hold()
    stopping = threading.Event()
    settings = Settings.from_environment(os.environ)
    try:
        queues = connect(settings)
    except (BotoCoreError, ClientError, CannotStart) as error:
        sys.exit(str(error))  # `make up` shows it
    service = Service.load(settings.service_file, os.environ)
    pollers = [
        Poller(queues[function.queue], function, processes, os.environ["AWS_REGION"], stopping)
        for function in service.functions.values()
        if function.queue
        for _ in range(pollers_of(function.queue, settings.batch_workers))
    ]
    for poller in pollers:
        threading.Thread(target=poller.run, daemon=True).start()
    lifeline.signal_ready()
    lifeline.wait_for_end()
    stopping.set()
    for poller in pollers:
        poller.stop()
    processes.close()


if __name__ == "__main__":
    main()
