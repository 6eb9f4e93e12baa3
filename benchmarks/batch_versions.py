"""Run the batch worker of this commit or of an earlier one, each with a database of its own schema."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pg8000.native

from benchmarks.busy import Busy, Watch
from benchmarks.embedded_postgres import connect
from deploy.environment import ROOT
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared import aws
from shared.ids import uuid7
from shared.settings import settings

WORKER = "benchmarks.batch_worker"
MIGRATE = "from migrations.handler import handler; handler({}, None)"
EARLIER = "earlier"
"""The name of the earlier commit's database."""
ADD_TASK = """
WITH owner AS (
    INSERT INTO users (id, email, password_hash, role, balance)
    VALUES (:user_id, :email, 'none', 'client', :balance) RETURNING id
)
INSERT INTO tasks (id, user_id, filename, status, bytes_total)
SELECT :task_id, id, 'bench.csv', 'queued', :size FROM owner"""
IS_BILLED = "SELECT bytes_done = bytes_total FROM tasks WHERE id = :id"


@dataclass(frozen=True)
class Run:
    """One file through a worker.

    Args:
        worker: what the worker's process measured (benchmarks/batch_worker.py).
        billing, results: what the whole machine used meanwhile.
    """

    task_id: UUID
    worker: dict[str, Any]
    billing: Busy
    results: Busy


@dataclass(frozen=True)
class Version:
    """The worker in `folder`, and its database."""

    folder: Path
    url: str
    database: pg8000.native.Connection

    def run(self, body: bytes, balance: int, watch: Watch, prefix: Sequence[str] = ()) -> Run:
        """Process a file of a new user with this balance."""
        user_id, task_id = uuid7(), uuid7()
        key = aws.upload_key(user_id, task_id)
        aws.store(key, body)
        self.database.run(
            ADD_TASK,
            user_id=user_id,
            email=f"{user_id}@bench.example",
            balance=balance,
            task_id=task_id,
            size=len(body),
        )
        self.database.run("VACUUM ANALYZE")
        self.database.run("CHECKPOINT")
        with self.worker(key, prefix) as worker:
            billing = watch.until(lambda: self._is_billed(task_id) or worker.poll() is not None)
            results = watch.until(lambda: worker.poll() is not None)
            return Run(task_id, measurements(worker), billing, results)

    def worker(self, key: str, prefix: Sequence[str] = ()) -> "subprocess.Popen[str]":
        """Start the worker in its own process for the message about a key.

        Args:
            prefix: the command that runs the process, if not the interpreter itself.
        """
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", WORKER, key],
            cwd=self.folder,
            env={**os.environ, "AWS_PGSQL_PATH": self.url},
            stdout=subprocess.PIPE,
            text=True,
        )

    def _is_billed(self, task_id: UUID) -> bool:
        return bool(self.database.run(IS_BILLED, id=task_id)[0][0])


def measurements(worker: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what an ended worker has measured."""
    output = worker.communicate()[0]
    assert worker.returncode == 0
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


@contextmanager
def stack_without_worker() -> Iterator[tuple[Path, Version]]:
    """Start a stack whose worker the benchmark runs itself, and set the settings of this process to it.

    Yields:
        The stack's folder, and this commit's version.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded Postgres may run as another user
        with Stack(Settings(port=0, edge_port=0, data_dir=folder, gateway_workers=1)) as stack:
            stack.kill("batch")
            os.environ.update(stack.environment)
            url = settings().database_url()
            with connect(url) as database:
                yield folder, Version(ROOT, url, database)


@contextmanager
def earlier(commit: str, current: Version) -> Iterator[Version]:
    """Check out a commit, and migrate a second database of the server to its schema."""
    url = current.url.replace("/restcalculator?", f"/{EARLIER}?")
    current.database.run(f"CREATE DATABASE {EARLIER}")
    with checked_out(commit) as folder:
        environment = {**os.environ, "AWS_PGSQL_PATH": url}
        subprocess.run([sys.executable, "-c", MIGRATE], cwd=folder, env=environment, check=True)
        with connect(url) as database:
            yield Version(folder, url, database)


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check out a commit into a new folder for the block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "worktree"
        _git("worktree", "add", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)
