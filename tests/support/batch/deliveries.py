"""The event source of these tests: it gives SQS's messages to worker processes, and minds their death."""

import time
from collections import Counter
from collections.abc import Callable
from threading import Thread
from typing import Any

from deploy.redrive import redrive
from localstack.event_source import check_response, record
from localstack.execution import InvocationFailed
from tests.support.batch.harness import Ground
from tests.support.batch.processes import Died, Knobs, WorkerProcess

CHUNK_ROWS = 32
KNOBS: Knobs = {
    "worker.chunks.CHUNK_ROWS": CHUNK_ROWS,
    "worker.results.ROWS_AT_ONCE": 250,
}
"""Small chunks, so that a small file has many."""
LIMIT = 60.0
"""Seconds that anything may take."""


class Deliveries:
    """Delivers the queue's messages, each to a worker that is alive, one at a time to each.

    As on AWS a message is deleted when the worker's answer does not name it, and comes again when
    it does or when the worker died; at once, so that no test waits. The fifth time it goes to the
    dead-letter queue, from which it is put back as `make redrive` does.
    """

    def __init__(self, ground: Ground, knobs: Knobs = KNOBS, seconds: float = 900) -> None:
        self._ground, self._knobs, self._seconds = ground, {**KNOBS, **knobs}, seconds
        self._idle = list[WorkerProcess]()
        self.outcomes: Counter[str] = Counter()

    def worker(self) -> WorkerProcess:
        """A worker that is alive, to be given back to `idle`."""
        return self._idle.pop() if self._idle else WorkerProcess(self._ground.behind_wires, self._knobs)

    def close(self) -> None:
        for worker in self._idle:
            worker.close()

    def receive(self) -> Any | None:
        """The next message, until `settle`."""
        answer = self._ground.cloud.sqs.receive_message(
            QueueUrl=self._ground.queue,
            VisibilityTimeout=int(LIMIT),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return next(iter(answer.get("Messages", [])), None)

    def deliver(self, message: Any, worker: WorkerProcess) -> str:
        """What became of a message: `done`, `failed`, or `died`."""
        try:
            event = {"Records": [record(message, "arn:aws:sqs:us-east-1:000000000000:opworker", "us-east-1")]}
            check_response(worker.handle(event, self._seconds), message["MessageId"])
            outcome = "done"
        except Died:
            outcome = "died"
        except InvocationFailed:
            outcome = "failed"
        if outcome == "died":
            worker.close()
        else:
            self._idle.append(worker)
        self.outcomes[outcome] += 1
        return outcome

    def settle(self, message: Any, outcome: str) -> None:
        """Delete a message that is done; let another be seen again."""
        found = {"QueueUrl": self._ground.queue, "ReceiptHandle": message["ReceiptHandle"]}
        if outcome == "done":
            self._ground.cloud.sqs.delete_message(**found)
        else:
            self._ground.cloud.sqs.change_message_visibility(**found, VisibilityTimeout=0)

    def until_idle(
        self,
        workers: int = 1,
        prepare: Callable[[WorkerProcess], None] = lambda worker: None,
        until: Callable[[], bool] = lambda: False,
        limit: float = LIMIT,
    ) -> None:
        """Deliver until no message is left anywhere, or `until` says so; `prepare` is told each worker.

        Raises: AssertionError after `limit` seconds.
        """
        deadline, failures = time.monotonic() + limit, list[BaseException]()

        def poll() -> None:
            try:
                while not until() and not failures:
                    assert time.monotonic() < deadline, f"{self._waiting()} messages are left"
                    message = self.receive()
                    if message is None:
                        if not self._waiting():
                            return
                        time.sleep(0.02)
                        continue
                    worker = self.worker()
                    prepare(worker)
                    self.settle(message, self.deliver(message, worker))
            except BaseException as error:
                failures.append(error)

        threads = [Thread(target=poll) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _waiting(self) -> int:
        """Messages in the work queue, seen or not; those of the dead-letter queue come back to it."""
        if self._count(self._ground.dead_letters):
            # As if the minute had passed in which a dead worker's task counts as being processed.
            self._ground.sql("UPDATE tasks SET has_worker = false WHERE has_worker")
            redrive(self._ground.cloud.sqs, self._ground.queue, wait_seconds=0)
        return self._count(self._ground.queue)

    def _count(self, queue: str) -> int:
        told = self._ground.cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        return sum(
            int(told["Attributes"][f"ApproximateNumberOfMessages{kind}"])
            for kind in ("", "NotVisible", "Delayed")
        )
