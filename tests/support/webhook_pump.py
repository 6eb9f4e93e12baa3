"""Deliver webhooks in the test's process: the three functions, with lists instead of the queues."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.serverless_file import Function
from localstack.context import LambdaContext
from shared import aws
from shared.settings import settings
from webhooks import dispatcher, recorder, sender

FUNCTION = Function("webhooks", "", 60, 512)
QUEUES = {"DISPATCH_QUEUE_URL": "dispatch", "SEND_QUEUE_URL": "send", "REPORT_QUEUE_URL": "report"}


class Pump:
    """The queues `dispatch`, `send` and `report`, as lists of message bodies.

    `sqs` replaces the SQS client. A test can replace its method to make SQS fail.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.queues: dict[str, list[str]] = {name: [] for name in QUEUES.values()}
        for variable, name in QUEUES.items():
            patch.setenv(variable, name)
        patch.setenv("WEBHOOK_LOOPBACK", "true")
        settings.cache_clear()
        self.sqs = SimpleNamespace(send_message_batch=self.queue)
        patch.setattr(aws, "sqs", lambda: self.sqs)

    def queue(self, **batch: Any) -> dict[str, Any]:
        """Queue the messages of a call of SendMessageBatch."""
        self.queues[batch["QueueUrl"]].extend(entry["MessageBody"] for entry in batch["Entries"])
        return {}

    def dispatch(self) -> int:
        """Run the dispatcher, and return the number of deliveries that it sent."""
        self.queues["dispatch"].clear()
        return dispatcher.handler({}, LambdaContext(FUNCTION))["sent"]

    def send(self) -> list[dict[str, str]]:
        """Run the sender with all its messages, and return those that it reports as failed."""
        return self._run(sender.handler, "send")

    def record(self) -> list[dict[str, str]]:
        """Run the recorder with all its messages, and return those that it reports as failed."""
        return self._run(recorder.handler, "report")

    def deliver(self) -> int:
        """Run all three until nothing is due, and return the number of deliveries sent."""
        total = 0
        while sent := self.dispatch():
            total += sent
            self.send()
            self.record()
        return total

    def take(self, queue: str) -> list[str]:
        """Empty a queue, and return its messages."""
        bodies, self.queues[queue] = self.queues[queue], []
        return bodies

    def _run(self, handler: Callable[..., dict[str, Any]], queue: str) -> list[dict[str, str]]:
        bodies = self.take(queue)
        if not bodies:
            return []
        records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
        return list(handler({"Records": records}, LambdaContext(FUNCTION))["batchItemFailures"])
