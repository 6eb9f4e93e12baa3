"""The harness of the worker's tests: a real Postgres, S3 and SQS behind proxies that can inject faults."""

import csv
import io
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pg8000.native

from deploy.redrive import dead_letter_queue
from localstack.cloud import BUCKET, Cloud
from localstack.stack import SCHEDULE, Stack
from localstack.stack_settings import Settings
from shared import aws, tasks
from shared.database import UnitOfWork
from shared.database.url import PostgresUrl
from tests.support.audit import mismatches
from tests.support.batch.proxies import HttpProxy, PostgresProxy
from tests.support.batch.stage import Stage
from tests.support.data_folder import data_folder
from tests.support.eventually import eventually
from tests.support.users import Person, create_person

PRICES = {"addition": "1.5", "substraction": "0.0001", "multiplication": "5", "square_root": "0"}
"""Credits, with different decimal places and one free operation. Others have the price of set-up."""


@dataclass(frozen=True)
class Task:
    """A task and its owner."""

    id: UUID
    owner: Person

    @property
    def key(self) -> str:
        return aws.upload_key(self.owner.id, self.id)


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Pause a process for the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def count_messages(cloud: Cloud, queue: str) -> int:
    """Return the number of messages in a queue: visible, in flight and delayed."""
    found = cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return sum(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))


class Harness:
    """A running stack without an event source or schedules: the test delivers the messages.

    This process must run with `environment`. Workers get `proxied_environment`, so that all their traffic
    passes the `stage`.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.stage = stack, Stage()
        self._database_runs = threading.RLock()
        self.environment = stack.environment
        postgres = PostgresUrl.parse(self.environment["AWS_PGSQL_PATH"])
        assert postgres.unix_folder
        self._socket = f"{postgres.unix_folder}/.s.PGSQL.5432"
        self._database = postgres.database
        self.http = HttpProxy(stack.settings.edge_port, self.stage)
        self.postgres = PostgresProxy(folder, postgres.unix_folder, self.stage)
        self.proxied_environment = {
            **self.environment,
            "AWS_ENDPOINT_URL": self.http.url,
            "AWS_PGSQL_PATH": f"postgresql://postgres@/{postgres.database}?host={folder}",
        }
        self.cloud = Cloud.connect(self.environment)
        self.undisturbed: dict[bytes, Task] = {}
        """Tasks processed without faults, by file, to compare with tasks that had some."""
        self.queue = self.environment["QUEUE_URL"]
        self.dead_letters = dead_letter_queue(self.cloud.sqs, self.queue)
        self.cloud.sqs.purge_queue(QueueUrl=self.queue)  # removes S3's test event
        # These tests kill processes, not the machine, so Postgres need not wait for the disk.
        self.sql("ALTER SYSTEM SET fsync = off")
        self.sql("SELECT pg_reload_conf()")
        for operation, cost in PRICES.items():
            self.sql("UPDATE operations SET cost = :cost WHERE type = :type", cost=cost, type=operation)

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator["Harness"]:
        with ExitStack() as exits:
            folder = exits.enter_context(data_folder())
            settings = Settings(port=0, edge_port=0, data_dir=folder, gateway_workers=1, batch_workers=0)
            sockets = Path(exits.enter_context(TemporaryDirectory(prefix="batch-")))
            stack = exits.enter_context(Stack(settings))
            exits.enter_context(paused(stack.pid(SCHEDULE)))
            harness = cls(stack, sockets)
            exits.callback(harness.cloud.close)
            exits.callback(harness.http.close)
            exits.callback(harness.postgres.close)
            yield harness

    def sql(self, statement: str, **parameters: Any) -> list[list[Any]]:
        """Run SQL on a connection of the test, bypassing the service. Wait while the database is stopped."""
        with self._database_runs, self.connect() as connection:
            rows: list[list[Any]] = connection.run(statement, **parameters) or []
            return rows

    @contextmanager
    def database_stopped(self) -> Iterator[None]:
        """Stop Postgres for the block, and start it again after it."""
        with self._database_runs, self.stack.database_stopped():
            yield

    def connect(self) -> pg8000.native.Connection:
        """Open a connection that bypasses the service."""
        return pg8000.native.Connection(
            "postgres", database=self._database, unix_sock=self._socket, ssl_context=False
        )

    def client(self, balance: Decimal | int = 10**9) -> Person:
        return create_person(balance=balance)

    def task(self, owner: Person, size: int, **options: Any) -> Task:
        """Create a task that waits for its file, with these options of `tasks.create`."""
        task_id, _ = tasks.create(owner.caller, "file.csv", size, "awaiting_upload", **options)
        return Task(task_id, owner)

    def upload(self, owner: Person, content: bytes, **options: Any) -> Task:
        """Create a task and upload its file, and wait for the message that S3 sends."""
        task = self.task(owner, len(content), **options)
        before = count_messages(self.cloud, self.queue)
        self.cloud.s3.put_object(Bucket=BUCKET, Key=task.key, Body=content)
        eventually(lambda: count_messages(self.cloud, self.queue) > before)
        return task

    def resume(self, task: Task, **changes: Decimal | None) -> None:
        tasks.resume(task.id, task.owner.id, lambda *ids: aws.enqueue(aws.upload_key(*ids)), **changes)

    def state(self, task: Task) -> dict[str, Any]:
        names = ("status", "bytes_total", "bytes_done", "rows_done", "rows_failed", "spent", "error")
        (row,) = self.sql(f"SELECT {', '.join(names)} FROM tasks WHERE id = :id", id=task.id)
        return dict(zip(names, row, strict=True))

    def start(self, task: Task) -> None:
        """Start a quoted task."""
        with UnitOfWork() as uow:
            tasks.start(task.id, task.owner.id, lambda *ids: aws.enqueue(aws.upload_key(*ids)), uow)
            uow.commit()

    def cancel(self, task: Task) -> None:
        tasks.cancel(task.id, task.owner.id, lambda *ids: aws.enqueue(aws.upload_key(*ids)))

    def results(self, task: Task) -> bytes:
        """Return the results that the API links. Raises: AssertionError if there are none."""
        row = tasks.get(task.id, task.owner.id)
        assert row["results"] is not None
        finished_at = None if row["status"] == "completed" else row["finished_at"]
        key = aws.results_key(task.owner.id, task.id, finished_at)
        return self.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def balance(self, owner: Person) -> Decimal:
        ((balance,),) = self.sql("SELECT balance FROM users WHERE id = :id", id=owner.id)
        return Decimal(balance)

    def check_accounting(self, *found: Task) -> None:
        """Check that each row of these tasks was billed or rejected once, and that all balances are right."""
        for task in found:
            state = self.state(task)
            rows = self.sql(
                """SELECT task_row, amount FROM records WHERE task_id = :id
                   UNION ALL SELECT task_row, NULL FROM task_errors
                   WHERE task_id = :id AND task_row <= :rows_done ORDER BY 1""",
                id=task.id,
                rows_done=state["rows_done"],
            )
            assert [number for number, _ in rows] == list(range(1, state["rows_done"] + 1))
            charged = [amount for _, amount in rows if amount is not None]
            assert (sum(charged), len(rows) - len(charged)) == (state["spent"], state["rows_failed"])
        for owner in {task.owner.id for task in found}:
            ((balance, credits, charged),) = self.sql(
                """SELECT balance,
                          (SELECT sum(amount) FROM ledger
                           WHERE user_id = u.id AND kind NOT IN ('batch', 'charge')),
                          (SELECT coalesce(sum(amount), 0) FROM records WHERE user_id = u.id)
                   FROM users u WHERE id = :id""",
                id=owner,
            )
            assert balance == credits - charged
        assert mismatches() == []

    def check_completed(self, task: Task, reference_task: Task) -> None:
        """Check that a task ended like the other one, with byte-identical results."""
        assert self.state(task) == self.state(reference_task)
        assert self.state(task)["status"] == "completed"
        assert self.results(task) == self.results(reference_task)
        self.check_accounting(task)


def mixed_file(rows: int, seed: int) -> bytes:
    """Return a CSV with this many rows. One in ten is bad, one in ten spans two lines, and some are blank."""
    chance, text = random.Random(seed), io.StringIO()
    text.write("\ufeffoperation,arguments\n")
    write = csv.writer(text, lineterminator="\r\n").writerow
    for _ in range(rows):
        one, other = (round(chance.uniform(-1e6, 1e6), chance.randrange(6)) for _ in range(2))
        separator = ",\n\t" if chance.random() < 0.1 else ", "
        if chance.random() < 0.1:
            write(chance.choice(BAD))
        elif (operation := chance.choice(OPERATIONS)) == "square_root":
            write([operation, f"[{abs(one)}]"])
        else:
            write([operation, f"[{one}{separator}{other}]"])
        if chance.random() < 0.05:
            text.write("\n")
    return text.getvalue().encode()


OPERATIONS = ("addition", "substraction", "subtraction", "multiplication", "division", "square_root")
BAD = (
    ["cube", "[2]"],
    ["division", "[1, 0]"],
    ["addition", "[1, 2"],
    ["addition"],
    ["=1+1", "@x"],
    ["a"] * 9,
)
