"""The ground that the worker is tested on: the real Postgres, S3 and SQS, and wires before them."""

import csv
import io
import random
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
from localstack.settings import Settings
from localstack.stack import Stack
from shared import aws, tasks
from shared.billing import charges
from shared.database.unit_of_work import UnitOfWork
from shared.database.url import PostgresUrl
from tests.support.batch.aws_wire import HttpWire, PostgresWire
from tests.support.batch.stage import Stage
from tests.support.users import Person, enrol

PRICES = {"addition": "1.5", "substraction": "0.0001", "multiplication": "5", "square_root": "0"}
"""Credits; of different places, one of them nothing. What is not named costs what set-up says."""


@dataclass(frozen=True)
class Task:
    """A task and whose it is."""

    id: UUID
    owner: Person

    @property
    def key(self) -> str:
        return aws.upload_key(self.owner.id, self.id)


class Ground:
    """A running stack with no event source of its own: who delivers messages is the test.

    The environment of this process is to be `environment`; workers get `behind_wires`, so that what
    they send and are sent passes the `stage`.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.stage = stack, Stage()
        self.environment = stack.environment
        postgres = PostgresUrl.parse(self.environment["AWS_PGSQL_PATH"])
        assert postgres.unix_folder
        self._socket = f"{postgres.unix_folder}/.s.PGSQL.5432"
        self._database = postgres.database
        self.http = HttpWire(stack.settings.edge_port, self.stage)
        self.postgres = PostgresWire(folder, postgres.unix_folder, self.stage)
        self.behind_wires = {
            **self.environment,
            "AWS_ENDPOINT_URL": self.http.url,
            "AWS_PGSQL_PATH": f"postgresql://postgres@/{postgres.database}?host={folder}",
        }
        self.cloud = Cloud.connect(self.environment)
        self.undisturbed: Task | None = None
        """A file that nothing disturbed, for tests of what does."""
        self.queue = self.environment["QUEUE_URL"]
        self.dead_letters = dead_letter_queue(self.cloud.sqs, self.queue)
        self.cloud.sqs.purge_queue(QueueUrl=self.queue)  # of the notification's test event
        # What is tested is what a process's end leaves behind, not a power cut's: no waiting for the disk.
        self.sql("ALTER SYSTEM SET fsync = off")
        self.sql("SELECT pg_reload_conf()")
        for operation, cost in PRICES.items():
            self.sql("UPDATE operations SET cost = :cost WHERE type = :type", cost=cost, type=operation)

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator["Ground"]:
        with ExitStack() as exits:
            # Not in pytest's folder, which other users may not enter: Postgres runs as one.
            folders = [Path(exits.enter_context(TemporaryDirectory(prefix="batch-"))) for _ in range(2)]
            settings = Settings(port=0, edge_port=0, data_dir=folders[0], gateway_workers=1, batch_workers=0)
            ground = cls(exits.enter_context(Stack(settings)), folders[1])
            exits.callback(ground.cloud.close)
            exits.callback(ground.http.close)
            exits.callback(ground.postgres.close)
            yield ground

    def sql(self, statement: str, **parameters: Any) -> list[list[Any]]:
        """Runs SQL behind the service's back."""
        with self.connect() as connection:
            rows: list[list[Any]] = connection.run(statement, **parameters) or []
            return rows

    def connect(self) -> pg8000.native.Connection:
        """A connection that knows nothing of the service."""
        return pg8000.native.Connection(
            "postgres", database=self._database, unix_sock=self._socket, ssl_context=False
        )

    def client(self, balance: Decimal | int = 10**9) -> Person:
        with UnitOfWork() as uow:
            return enrol(uow, balance=balance)

    def task(self, owner: Person, size: int) -> Task:
        """A task that waits for its file."""
        with UnitOfWork() as uow:
            task_id, _ = tasks.create(uow, owner.caller, "file.csv", size, "awaiting_upload")
        return Task(task_id, owner)

    def upload(self, owner: Person, content: bytes) -> Task:
        """A task whose file is in the bucket, so that S3 has sent its message."""
        task = self.task(owner, len(content))
        self.cloud.s3.put_object(Bucket=BUCKET, Key=task.key, Body=content)
        return task

    def resume(self, task: Task) -> None:
        with UnitOfWork() as uow:
            tasks.resume(uow, task.id, task.owner.id, lambda *ids: aws.enqueue(aws.upload_key(*ids)))

    def state(self, task: Task) -> dict[str, Any]:
        names = ("status", "bytes_total", "bytes_done", "rows_done", "rows_failed", "spent", "error")
        (row,) = self.sql(f"SELECT {', '.join(names)} FROM tasks WHERE id = :id", id=task.id)
        return dict(zip(names, row, strict=True))

    def results(self, task: Task) -> bytes:
        key = aws.results_key(task.owner.id, task.id)
        return self.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def balance(self, owner: Person) -> Decimal:
        ((balance,),) = self.sql("SELECT balance FROM users WHERE id = :id", id=owner.id)
        return Decimal(balance)

    def check_books(self, *found: Task) -> None:
        """Every row of each task once and in no other, what was charged, and everybody's money."""
        for task in found:
            state = self.state(task)
            rows = self.sql(
                """SELECT task_row, amount FROM records WHERE task_id = :id
                   UNION ALL SELECT task_row, NULL FROM task_errors WHERE task_id = :id ORDER BY 1""",
                id=task.id,
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
        with UnitOfWork() as uow:
            assert charges.audit(uow) == []

    def check_completed(self, task: Task, undisturbed: Task) -> None:
        """The task came out as the other one did, to the last byte of its results."""
        assert self.state(task) == self.state(undisturbed)
        assert self.state(task)["status"] == "completed"
        assert self.results(task) == self.results(undisturbed)
        self.check_books(task)


def mixed_file(rows: int, seed: int) -> bytes:
    """A CSV of so many rows, a tenth of them bad, with blank lines, and one cell of two lines in ten."""
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
