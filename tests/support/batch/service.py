"""The whole service with its real event source and two workers, as `make up` starts it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pg8000.native

from client.batch import Service
from deploy.environment import ROOT
from deploy.redrive import dead_letter_queue, redrive
from localstack.cloud import Cloud
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared.database.url import PostgresUrl
from tests.support.batch.harness import count_messages
from tests.support.data_folder import data_folder

PASSWORD = "correct-horse-1!"
ADMIN = ("defaultadmin@admin.as", "adminpass")


class RunningService:
    """A running stack, and the requests that tests send to it."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.url = stack, stack.url
        self.cloud = Cloud.connect(stack.environment)
        self.queue = stack.environment["QUEUE_URL"]
        self.dead_letters = dead_letter_queue(self.cloud.sqs, self.queue)
        self.admin = Service(self.url)
        self._accounts = list[Service]([self.admin])
        self.admin.sign_in(*ADMIN)

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator["RunningService"]:
        with data_folder() as folder:
            settings = Settings(
                port=0, edge_port=0, data_dir=folder, gateway_workers=2, batch_workers=2, batch_retry=0
            )
            with Stack(settings) as stack:
                running = cls(stack)
                yield running
                running.close()

    def close(self) -> None:
        for account in self._accounts:
            account.__exit__()
        self.cloud.close()

    def client(self, credit: int = 10**9) -> "Account":
        """Create an account with this credit in addition to the opening credit."""
        account = Account(self.url, f"{uuid4().hex}@batch.example")
        self._accounts.append(account)
        if credit:
            grant = {"amount": credit, "reason": "test"}
            path = f"/api/v1/users/{account.id}/credits"
            self.admin.call("POST", path, json=grant)
        return account

    def count(self, queue: str) -> int:
        """Return the number of messages in a queue."""
        return count_messages(self.cloud, queue)

    def redrive(self) -> int:
        return redrive(self.cloud.sqs, self.queue, wait_seconds=0)

    def reset_upload_limit(self, account: "Account") -> None:
        """Reset the upload limit of this user."""
        self._sql("DELETE FROM rate_limits WHERE bucket = 'upload:' || :id", id=account.id)

    def reset_rate_limits(self) -> None:
        """Reset all rate limits."""
        self._sql("DELETE FROM rate_limits")

    def _sql(self, statement: str, **parameters: Any) -> None:
        postgres = PostgresUrl.parse(self.stack.environment["AWS_PGSQL_PATH"])
        with pg8000.native.Connection(
            "postgres",
            database=postgres.database,
            unix_sock=f"{postgres.unix_folder}/.s.PGSQL.5432",
            ssl_context=False,
        ) as connection:
            connection.run(statement, **parameters)


class Account(Service):
    """A signed-in user."""

    def __init__(self, url: str, email: str) -> None:
        super().__init__(url)
        self.email = email
        self.sign_in(email, PASSWORD)
        self.id = self.call("GET", "/api/v1/users/me").json()["id"]

    def begin(self, content: bytes) -> str:
        """Create a task, upload its file, and return the task's id."""
        size = {"filename": "file.csv", "size": len(content)}
        task = self.call("POST", "/api/v1/tasks", json=size).json()
        self.upload(task, content)
        return str(task["id"])

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/api/v1/tasks/{task_id}").json()
        return found

    def ended(self, task_id: str) -> dict[str, Any] | None:
        """Return the task if it has ended, otherwise None."""
        task = self.task(task_id)
        return None if task["status"] in ("awaiting_upload", "queued", "processing") else task


def run_client(
    running: RunningService, file: Path, email: str, *options: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m client.batch FILE` with options."""
    variables = {
        **os.environ,
        "RESTCALCULATOR_URL": running.url,
        "RESTCALCULATOR_EMAIL": email,
        "RESTCALCULATOR_PASSWORD": PASSWORD,
        **environment,
    }
    command = [sys.executable, "-m", "client.batch", str(file), *options]
    return subprocess.run(
        command,
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
