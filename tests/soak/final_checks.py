"""The checks after the run, once the stack is idle."""

import json
import os
import subprocess
import sys
from typing import Any

from deploy.environment import ROOT
from localstack.stack import Stack
from shared.database.connection import Database
from tests.soak.leaks import ResourceMonitor
from tests.soak.user import User
from tests.support.audit import run_audit
from tests.support.batch.service import RunningService
from tests.support.eventually import eventually

SETTLE_TIMEOUT_SECONDS = 120
"""The limit for processing the messages that remain after the faults."""
UNFINISHED = "status IN ('awaiting_upload', 'queued', 'processing')"
# Tasks whose rows are not complete, or whose charges do not match.
_WRONG_TASKS = """
SELECT t.id, t.rows_done, t.spent, b.rows, r.rows AS refused, b.amount
FROM tasks t,
     LATERAL (SELECT count(*) AS rows, coalesce(sum(amount), 0) AS amount
              FROM records WHERE task_id = t.id) b,
     LATERAL (SELECT count(*) AS rows FROM task_errors
              WHERE task_id = t.id AND task_row <= t.rows_done) r
WHERE (t.rows_done, t.rows_failed, t.spent) <> (b.rows + r.rows, r.rows, b.amount)
"""
_CHARGES = """
SELECT (SELECT count(*) FROM ledger WHERE user_id = CAST(:id AS uuid) AND kind = 'charge') AS charges,
       (SELECT json_object_agg(key, response)
        FROM idempotency_keys WHERE user_id = CAST(:id AS uuid)) AS stored
"""


class FinalChecks:
    """Check the data of all users. `failures` lists the failed checks."""

    def __init__(self, stack: Stack, users: list[User]) -> None:
        self._stack, self._users = stack, users
        self._database = Database(stack.environment["AWS_PGSQL_PATH"])
        self.failures = list[str]()
        self.tasks: dict[str, int] = {}
        """The number of tasks by status, after the stack was idle."""
        self._charges = self._redriven = 0

    def settle(self) -> None:
        """Wait until no message remains. Redrive dead letters, as an operator does."""
        running = RunningService(self._stack)
        try:
            eventually(lambda: self._is_settled(running), SETTLE_TIMEOUT_SECONDS)
        finally:
            running.close()

    def check(self, monitor: ResourceMonitor, processes: int) -> None:
        """Args:
        processes: the number of function processes, each of which may hold one connection.
        """
        self._check_stranded_tasks()
        audit = run_audit(self._stack)
        if audit.returncode:
            self.failures.append(audit.stdout + audit.stderr)
        self.failures += [f"the rows of a task do not match: {row}" for row in self._rows(_WRONG_TASKS)]
        for user in self._users:
            self._check_charges(user)
        self.tasks = {
            row["status"]: row["tasks"]
            for row in self._rows("SELECT status, count(*) AS tasks FROM tasks GROUP BY 1 ORDER BY 1")
        }
        self._database.dispose()
        eventually(lambda: monitor.count_connections() <= processes)
        monitor.measure()

    def lines(self) -> list[str]:
        ended = ", ".join(f"{count} {status}" for status, count in self.tasks.items())
        return [
            f"{self._charges} charges, each with one key; {self._redriven} dead letters redriven",
            f"{sum(self.tasks.values())} files: {ended}",
        ]

    def _is_settled(self, running: RunningService) -> bool:
        self._redriven += running.redrive()
        return not running.count(running.queue) and not running.count(running.dead_letters)

    def _check_stranded_tasks(self) -> None:
        """Check that only tasks without an uploaded file are unfinished, and that housekeeping ends them."""
        sent = set[str]().union(*(user.sent for user in self._users))
        stranded = {str(row["id"]) for row in self._rows(f"SELECT id FROM tasks WHERE {UNFINISHED}")}
        self.failures += [
            f"task {task} is unfinished although its file was uploaded" for task in stranded & sent
        ]
        self._rows(f"UPDATE tasks SET updated_at = updated_at - interval '1 day' WHERE {UNFINISHED}")
        process = subprocess.run(
            [sys.executable, "-m", "localstack.runtime", "expire"],
            env={**os.environ, **self._stack.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        ended = json.loads(process.stdout.splitlines()[-1])["expire_tasks"]
        if ended != len(stranded):
            self.failures.append(f"housekeeping ended {ended} of {len(stranded)} stranded tasks")

    def _check_charges(self, user: User) -> None:
        (found,) = self._rows(_CHARGES, id=user.id)
        stored: dict[str, str] = found["stored"] or {}
        self._charges += found["charges"]
        if found["charges"] != len(stored):
            self.failures.append(f"user {user.id} has {found['charges']} charges but {len(stored)} keys")
        for key, (_, response) in user.charged.items():
            if stored.get(key) != response:
                self.failures.append(f"user {user.id} received {response}, but {stored.get(key)} is stored")

    def _rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return self._database.query(sql, parameters)
