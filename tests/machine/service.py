"""The service under test: two Lambda containers, the worker's containers, Postgres, S3 and SQS."""

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from localstack.cloud import BUCKET
from shared import aws
from tests.machine import database_state, outbox
from tests.machine.batch_model import CHUNK_ROWS
from tests.machine.model import Result
from tests.support.batch.deliveries import LIMIT, Deliveries
from tests.support.batch.harness import Harness
from tests.support.batch.processes import WorkerDied, WorkerProcess
from tests.support.batch.stage import Fault
from tests.support.functions import HANDLER, Response
from worker.messages import Upload, files

OVERRIDES = {"worker.chunks.CHUNK_ROWS": CHUNK_ROWS}
REMAINING_SECONDS = {False: 900, True: 1}
"""Remaining seconds of a worker's time, by whether it is hurried. 1 s is too short for a second chunk."""


HOLD_ROWS = "SELECT FROM users FOR NO KEY UPDATE"
"""Locks all users. Transactions that move money create their snapshot and then wait."""
HOLD_TABLE = "LOCK TABLE users IN SHARE MODE"
"""Blocks sign-ups. A sign-up sees that the e-mail is free and then waits."""


def dies() -> bool:
    """Mark a fault that kills the process. `Service` replaces it with the kill of the right process."""
    return False


class Service:
    """Sends requests and messages to the service. Shared by many runs."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._containers = [self._container(), self._container()]
        self._workers = {
            hurried: Deliveries(harness, OVERRIDES, REMAINING_SECONDS[hurried])
            for hurried in REMAINING_SECONDS
        }
        self._connection = harness.connect()
        for statement in outbox.SUBSCRIBE:
            self.sql(statement)
        self._pool = ThreadPoolExecutor(2)
        self.waiting = list[Any]()
        """Received messages that no worker has processed."""
        self.delivered = list[Any]()
        self._results = dict[str, list[Result]]()
        self.outcomes = Counter[str]()
        """Counts what happened in all runs."""

    def close(self) -> None:
        for container in self._containers:
            container.close()
        for deliveries in self._workers.values():
            deliveries.close()
        self._connection.close()
        self._pool.shutdown()

    def sql(self, statement: str, **parameters: Any) -> list[list[Any]]:
        """Run SQL directly, without the service."""
        return self._connection.run(statement, **parameters) or []

    def forget_messages(self) -> None:
        self.receive()
        self.waiting, self.delivered = [], []
        self._results.clear()

    def send(self, event: Mapping[str, Any], fault: Fault | None = None) -> Response | None:
        """Send a request. Return the response, or None if the fault killed the container."""
        container = self._containers.pop(0)
        self._expect(fault, container)
        try:
            return Response.of(container.handle(event))
        except WorkerDied:
            container.close()
            container = self._container()
            return None
        finally:
            self._expect(None, container)
            self._containers.append(container)

    def deliver(self, message: Any, hurried: bool, fault: Fault | None = None) -> str:
        """Deliver a message to a worker. Return `done`, `failed`, or `died` (of the fault)."""
        deliveries = self._workers[hurried]
        worker = deliveries.worker()
        self._expect(fault, worker)
        outcome = deliveries.deliver(message, worker)
        self._expect(None, worker)
        return outcome

    def settle(self, *messages: Any) -> None:
        """Move processed messages from `waiting` to `delivered`, from where they can be delivered again."""
        done = [message for message in self.waiting if message in messages]
        for message in done:
            count_delivery(message)
        self.delivered += done
        self.waiting = [message for message in self.waiting if message not in messages]
        self.receive()

    def run_concurrently(self, *actions: Callable[[], Any], hold: str = "") -> list[Any]:
        """Run callables concurrently and return their results.

        Args:
            hold: a statement that takes a lock. The lock is held until every callable waits for it or has
                finished, so each has read the state before the other's change.
        """
        if hold:
            self.sql("BEGIN")
            self.sql(hold)
        futures = [self._pool.submit(action) for action in actions]
        if hold:
            try:
                self._wait_until(lambda: self._waiting() + sum(it.done() for it in futures) >= len(futures))
            finally:
                self.sql("COMMIT")
        return [it.result() for it in futures]

    def store(self, key: str, content: bytes) -> None:
        """Upload a file to the bucket and wait for its message."""
        self.harness.cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        self.expect_message()

    def results(self, owner_id: str, task_id: str, finished_at: datetime | None) -> list[Result]:
        """Return the results of one end of a task. Cached, because they never change."""
        key = aws.results_key(UUID(owner_id), UUID(task_id), finished_at)
        if key not in self._results:
            text = self.harness.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
            self._results[key] = [
                (
                    int(row["row"]),
                    row["operation"],
                    database_state.arguments(row["arguments"]),
                    database_state.result_cell(row["result"]),
                    *(Decimal(row[it]) if row[it] else None for it in ("amount", "user_balance")),
                    bool(row["error"]),
                )
                for row in csv.DictReader(io.StringIO(text))
            ]
        return self._results[key]

    def exported(self, owner_id: str, export_id: str, format: str) -> list[dict[str, str | Decimal]]:
        """Return the rows of an export's file, by field."""
        key = aws.export_key(UUID(owner_id), UUID(export_id), format)
        text = self.harness.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        if format == "csv":
            return list(csv.DictReader(io.StringIO(text)))
        return [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in text.splitlines()]

    def send_message(self, key: str) -> None:
        """Send a worker the message about a stored file, and receive it."""
        record = {
            "eventSource": "restcalculator",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}},
        }
        self.harness.cloud.sqs.send_message(
            QueueUrl=self.harness.queue, MessageBody=json.dumps({"Records": [record]})
        )
        self.expect_message()

    def expect_message(self) -> None:
        """Wait for a message from S3. Raises: AssertionError if none arrives in time."""
        waiting = len(self.waiting)
        self._wait_until(lambda: self.receive() > waiting)

    def expect_message_of(self, task_id: str) -> None:
        """Wait for the message of a task's first file."""
        self._wait_until(lambda: self.receive() and task_id in map(file_of, self.waiting))

    def receive(self) -> int:
        """Receive all messages in the queue. Return how many are waiting now."""
        while found := self.harness.cloud.sqs.receive_message(
            QueueUrl=self.harness.queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            for message in found:
                self.harness.cloud.sqs.delete_message(
                    QueueUrl=self.harness.queue, ReceiptHandle=message["ReceiptHandle"]
                )
            self.waiting += found
        return len(self.waiting)

    def _waiting(self) -> int:
        """Return the number of connections that wait for a lock."""
        ((waiting,),) = self.sql("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(waiting)

    def _wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def _expect(self, fault: Fault | None, victim: WorkerProcess) -> None:
        """Schedule the fault, if any. A deadly fault kills `victim`."""

        def kill() -> bool:
            victim.kill()
            return False

        if fault and fault.action is dies:
            fault.action = kill
        self.harness.stage.expect(fault)

    def _container(self) -> WorkerProcess:
        return WorkerProcess(self.harness.proxied_environment, {}, HANDLER)


def count_delivery(message: Any) -> None:
    """Increase the message's receive count, so that its next delivery is a redelivery."""
    attributes = message["Attributes"]
    attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)


def file_of(message: Any) -> str:
    """Return the id of a message's task or export."""
    (file,) = files(message["Body"])
    return str(file.task_id if isinstance(file, Upload) else file.export_id)
