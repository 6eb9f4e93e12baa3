"""The event source of these tests: it delivers SQS messages to worker processes and replaces dead ones."""

import time
from collections import Counter
from collections.abc import Callable
from threading import Thread
from typing import Any

from deploy.redrive import redrive
from localstack.event_source import failed_messages, record
from localstack.execution import InvocationFailed
from tests.support.batch.harness import Harness, count_messages
from tests.support.batch.processes import Overrides, WorkerDied, WorkerProcess

CHUNK_ROWS = 32
OVERRIDES: Overrides = {
    "worker.chunks.CHUNK_ROWS": CHUNK_ROWS,
    "worker.results.ROWS_AT_ONCE": 250,
}
"""Small chunks, so that a small file has many."""
LIMIT = 60.0
"""Seconds after which a test fails."""


class Deliveries:
    """Deliver the queue's messages to live workers, one at a time to each.

    As on AWS, a message is deleted if the worker's response does not list it as failed. Otherwise, or if the
    worker died, it is retried, but immediately, so that no test waits. After five deliveries it moves to the
    dead-letter queue, from which it is redriven as by `make redrive`.

    Args:
        idle: live workers of other deliveries with the same overrides. They are used first, like warm Lambda
            containers, and the list receives all that are idle.
    """

    def __init__(
        self,
        harness: Harness,
        overrides: Overrides = OVERRIDES,
        seconds: float = 900,
        idle: list[WorkerProcess] | None = None,
    ) -> None:
        self._harness, self._knobs, self._seconds = harness, {**OVERRIDES, **overrides}, seconds
        self._idle = list[WorkerProcess]() if idle is None else idle
        self.outcomes: Counter[str] = Counter()

    def worker(self) -> WorkerProcess:
        """Return a live worker: an idle one or a new one."""
        return (
            self._idle.pop() if self._idle else WorkerProcess(self._harness.proxied_environment, self._knobs)
        )

    def close(self) -> None:
        for worker in self._idle:
            worker.close()

    def receive(self) -> Any | None:
        """Receive the next message, or return None. The caller must `settle` it."""
        response = self._harness.cloud.sqs.receive_message(
            QueueUrl=self._harness.queue,
            VisibilityTimeout=int(LIMIT),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return next(iter(response.get("Messages", [])), None)

    def deliver(self, message: Any, worker: WorkerProcess) -> str:
        """Deliver a message to a worker and return the outcome: `done`, `failed` or `died`."""
        try:
            event = {"Records": [record(message, "arn:aws:sqs:us-east-1:000000000000:opworker", "us-east-1")]}
            failed = failed_messages(worker.handle(event, self._seconds), {message["MessageId"]})
            outcome = "failed" if failed else "done"
        except WorkerDied:
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
        """Delete a message that is done; make any other visible again."""
        found = {"QueueUrl": self._harness.queue, "ReceiptHandle": message["ReceiptHandle"]}
        if outcome == "done":
            self._harness.cloud.sqs.delete_message(**found)
        else:
            self._harness.cloud.sqs.change_message_visibility(**found, VisibilityTimeout=0)

    def until_idle(
        self,
        workers: int = 1,
        prepare: Callable[[WorkerProcess], None] = lambda worker: None,
        until: Callable[[], bool] = lambda: False,
        limit: float = LIMIT,
    ) -> None:
        """Deliver until no message is left or `until` returns true. Call `prepare` with each worker first.

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
        """Redrive the dead-letter queue, and return the number of messages in the work queue."""
        if count_messages(self._harness.cloud, self._harness.dead_letters):
            # Skip the minute in which the task of a dead worker counts as being processed.
            self._harness.sql("UPDATE tasks SET has_worker = false WHERE has_worker")
            redrive(self._harness.cloud.sqs, self._harness.queue, wait_seconds=0)
        return count_messages(self._harness.cloud, self._harness.queue)
