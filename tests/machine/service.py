"""The real service under the machine: two Lambda containers, the worker's, Postgres, S3 and SQS."""

import base64
import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from localstack.cloud import BUCKET
from shared import aws
from tests.machine import books
from tests.machine.batch_model import CHUNK_ROWS
from tests.machine.model import Result
from tests.support.batch.deliveries import LIMIT, Deliveries
from tests.support.batch.harness import Harness
from tests.support.batch.processes import Died, WorkerProcess
from tests.support.batch.stage import Fault
from worker.messages import uploads

KNOBS = {"worker.chunks.CHUNK_ROWS": CHUNK_ROWS}
SECONDS = {False: 900, True: 1}
"""What a worker has left of its time: plenty, or when it is hurried too little for a second chunk."""


HOLD_ROWS = "SELECT FROM users FOR NO KEY UPDATE"
"""Nobody's row can be had: who moves money waits, and has seen what was before."""
HOLD_TABLE = "LOCK TABLE users IN SHARE MODE"
"""Nobody signs up: who would waits, and has seen that the e-mail is free."""


def dies() -> bool:
    """The action of a fault that kills whom it strikes: `Service` knows who that is."""
    return False


@dataclass(frozen=True)
class Answer:
    """What a function answered: its body as it was sent and as JSON, numbers as decimals."""

    status: int
    text: str
    body: Any
    replayed: bool
    cookies: tuple[str, ...]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Answer":
        text = answer.get("body") or ""
        if answer.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        return cls(
            answer["statusCode"],
            text,
            json.loads(text, parse_float=Decimal, parse_int=Decimal) if text else {},
            answer["headers"].get("Idempotent-Replayed") == "true",
            tuple(answer.get("cookies") or ()),
        )


class Service:
    """What the machine does to the service. It lives through many runs."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._containers = [self._container(), self._container()]
        self._workers = {hurried: Deliveries(harness, KNOBS, SECONDS[hurried]) for hurried in SECONDS}
        self._books = harness.connect()
        self._pool = ThreadPoolExecutor(2)
        self.waiting = list[Any]()
        """Messages that nobody has worked off."""
        self.delivered = list[Any]()
        self._results = dict[str, list[Result]]()
        self.outcomes = Counter[str]()
        """What happened, in all runs."""

    def close(self) -> None:
        for container in self._containers:
            container.close()
        for deliveries in self._workers.values():
            deliveries.close()
        self._books.close()
        self._pool.shutdown()

    def sql(self, statement: str, **parameters: Any) -> list[list[Any]]:
        """Runs SQL behind the service's back."""
        return self._books.run(statement, **parameters) or []

    def forget_messages(self) -> None:
        self.receive()
        self.waiting, self.delivered = [], []
        self._results.clear()

    def ask(self, event: Mapping[str, Any], fault: Fault | None = None) -> Answer | None:
        """The answer; None if the container died of the fault."""
        container = self._containers.pop(0)
        self._expect(fault, container)
        try:
            return Answer.of(container.handle(event))
        except Died:
            container.close()
            container = self._container()
            return None
        finally:
            self._expect(None, container)
            self._containers.append(container)

    def deliver(self, message: Any, hurried: bool, fault: Fault | None = None) -> str:
        """What became of a message that was given to a worker: `done`, `failed`, or `died` of the fault."""
        deliveries = self._workers[hurried]
        worker = deliveries.worker()
        self._expect(fault, worker)
        outcome = deliveries.deliver(message, worker)
        self._expect(None, worker)
        return outcome

    def settle(self, *messages: Any) -> None:
        """They are done: they wait no more, and may be delivered once more all the same."""
        done = [message for message in self.waiting if message in messages]
        for message in done:
            count_delivery(message)
        self.delivered += done
        self.waiting = [message for message in self.waiting if message not in messages]
        self.receive()

    def at_once(self, *things: Callable[[], Any], hold: str = "") -> list[Any]:
        """What two things come to that are done at the same time.

        Args:
            hold: takes a lock that is held until both wait for it or are done: each has then seen what
                was before the other.
        """
        if hold:
            self.sql("BEGIN")
            self.sql(hold)
        doing = [self._pool.submit(thing) for thing in things]
        if hold:
            try:
                self._wait_until(lambda: self._waiting() + sum(it.done() for it in doing) >= len(doing))
            finally:
                self.sql("COMMIT")
        return [it.result() for it in doing]

    def store(self, key: str, content: bytes) -> None:
        """Put a file into the bucket, whose message then waits."""
        self.harness.cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        self.expect_message()

    def results(self, owner_id: str, task_id: str) -> list[Result]:
        """Those of a completed task; as they were when they were read first, since they stay the same."""
        if task_id not in self._results:
            key = aws.results_key(UUID(owner_id), UUID(task_id))
            text = self.harness.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
            self._results[task_id] = [
                (
                    int(row["row"]),
                    row["operation"],
                    books.arguments(row["arguments"]),
                    books.result_cell(row["result"]),
                    *(Decimal(row[it]) if row[it] else None for it in ("amount", "user_balance")),
                    bool(row["error"]),
                )
                for row in csv.DictReader(io.StringIO(text))
            ]
        return self._results[task_id]

    def expect_message(self) -> None:
        """Wait for what S3 sends. Raises: AssertionError when it sends nothing."""
        waiting = len(self.waiting)
        self._wait_until(lambda: self.receive() > waiting)

    def expect_message_of(self, task_id: str) -> None:
        """As `expect_message`, for a task whose file is new."""
        self._wait_until(lambda: self.receive() and task_id in map(task_of, self.waiting))

    def receive(self) -> int:
        """Take all that is in the queue; how many messages wait now."""
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
        """Connections that wait for a lock."""
        ((waiting,),) = self.sql("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(waiting)

    def _wait_until(self, so: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT
        while not so():
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def _expect(self, fault: Fault | None, victim: WorkerProcess) -> None:
        """Let the fault happen, if there is one; whom it kills is this process."""

        def kill() -> bool:
            victim.kill()
            return False

        if fault and fault.action is dies:
            fault.action = kill
        self.harness.stage.expect(fault)

    def _container(self) -> WorkerProcess:
        return WorkerProcess(self.harness.behind_wires, {}, "tests.machine.functions.handler")


def count_delivery(message: Any) -> None:
    """Let the message's next delivery be a redelivery, as SQS counts them."""
    attributes = message["Attributes"]
    attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)


def task_of(message: Any) -> str:
    """The id of the task that a message is about."""
    (upload,) = uploads(message["Body"])
    return str(upload.task_id)
