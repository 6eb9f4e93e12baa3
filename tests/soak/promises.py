"""What must be true when all is quiet again."""

import json
import os
import subprocess
import sys
from typing import Any

from deploy.environment import ROOT
from localstack.stack import Stack
from shared.database.connection import Database
from tests.e2e.conftest import run_audit
from tests.soak.leaks import Watch
from tests.soak.user import User
from tests.support.batch.service import Running
from tests.support.eventually import eventually

QUIET_WITHIN = 120
"""Seconds for the batch to work off what the faults have left."""
UNFINISHED = "status IN ('awaiting_upload', 'queued', 'processing')"
# A task whose rows are not each there once, or not at what was charged.
_WRONG_TASKS = """
SELECT t.id, t.rows_done, t.spent, b.rows, r.rows AS refused, b.amount
FROM tasks t,
     LATERAL (SELECT count(*) AS rows, coalesce(sum(amount), 0) AS amount
              FROM records WHERE task_id = t.id) b,
     LATERAL (SELECT count(*) AS rows FROM task_errors WHERE task_id = t.id) r
WHERE (t.rows_done, t.rows_failed, t.spent) <> (b.rows + r.rows, r.rows, b.amount)
"""
_CHARGES = """
SELECT (SELECT count(*) FROM ledger WHERE user_id = CAST(:id AS uuid) AND kind = 'charge') AS charges,
       (SELECT json_object_agg(key, response) FROM idempotency_keys WHERE user_id = CAST(:id AS uuid)) AS kept
"""


class Promises:
    """`broken` says in words what was not kept."""

    def __init__(self, stack: Stack, users: list[User]) -> None:
        self._stack, self._users = stack, users
        self._database = Database(stack.environment["AWS_PGSQL_PATH"])
        self.broken = list[str]()
        self.tasks: dict[str, int] = {}
        """By status, when all was quiet."""
        self._charges = self._redriven = 0

    def settle(self) -> None:
        """Wait until the batch has nothing more to do; dead letters are put back, as an operator does."""
        running = Running(self._stack)
        try:
            eventually(lambda: self._quiet(running), QUIET_WITHIN)
        finally:
            running.close()

    def check(self, watch: Watch, processes: int) -> None:
        """Args:
        processes: those of functions, each of which may hold one connection.
        """
        self._check_stranded_tasks()
        audit = run_audit(self._stack)
        if audit.returncode:
            self.broken.append(audit.stdout + audit.stderr)
        self.broken += [f"a task's rows are off: {row}" for row in self._rows(_WRONG_TASKS)]
        for user in self._users:
            self._check_charges(user)
        self.tasks = {
            row["status"]: row["tasks"]
            for row in self._rows("SELECT status, count(*) AS tasks FROM tasks GROUP BY 1 ORDER BY 1")
        }
        self._database.dispose()
        eventually(lambda: watch.connected() <= processes)
        watch.look()

    def lines(self) -> list[str]:
        ended = ", ".join(f"{count} {status}" for status, count in self.tasks.items())
        return [
            f"{self._charges} charges, each by one key; {self._redriven} dead letters put back",
            f"{sum(self.tasks.values())} files: {ended}",
        ]

    def _quiet(self, running: Running) -> bool:
        self._redriven += running.redrive()
        return not running.count(running.queue) and not running.count(running.dead_letters)

    def _check_stranded_tasks(self) -> None:
        """Those whose file never came, or is not surely there, are housekeeping's, a day later."""
        sent = set[str]().union(*(user.sent for user in self._users))
        stranded = {str(row["id"]) for row in self._rows(f"SELECT id FROM tasks WHERE {UNFINISHED}")}
        self.broken += [f"task {task} was forgotten though its file came" for task in stranded & sent]
        self._rows(f"UPDATE tasks SET updated_at = updated_at - interval '1 day' WHERE {UNFINISHED}")
        told = subprocess.run(
            [sys.executable, "-m", "localstack.runtime", "expire"],
            env={**os.environ, **self._stack.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        ended = json.loads(told.stdout.splitlines()[-1])["expire_tasks"]
        if ended != len(stranded):
            self.broken.append(f"housekeeping ended {ended} of {len(stranded)} stranded tasks")

    def _check_charges(self, user: User) -> None:
        (found,) = self._rows(_CHARGES, id=user.id)
        kept: dict[str, str] = found["kept"] or {}
        self._charges += found["charges"]
        if found["charges"] != len(kept):
            self.broken.append(f"user {user.id} has {found['charges']} charges by {len(kept)} keys")
        for key, (_, answer) in user.charged.items():
            if kept.get(key) != answer:
                self.broken.append(f"user {user.id} was told {answer}, and kept is {kept.get(key)}")

    def _rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return self._database.query(sql, parameters)
