"""How the processing of a file ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restcalc.cli.exit_codes import SEVEREST_FIRST, ExitCode
from restcalc.cli.values import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from restcalc.cli.failures import Failure
    from restcalc.models import Task


@dataclass(frozen=True)
class Outcome:
    """The end of one file, which the user calls `name`: a task, or the failure that prevented it."""

    name: str
    task: Task | None = None
    results: Path | None = None
    failure: Failure | None = None

    @property
    def exit_code(self) -> ExitCode:
        if self.failure:
            return ExitCode(self.failure.exit_code)
        return exit_code_of(self.task) if self.task else ExitCode.REFUSED

    @property
    def is_final(self) -> bool:
        """Whether another run of the same file is a new one."""
        return self.task is not None and self.task.status in ("completed", "quoted", "failed")

    def as_json(self) -> dict[str, Any]:
        if self.failure:
            return {"file": self.name, "error": self.failure.message, "exit_code": int(self.exit_code)}
        return {"file": self.name, "results": self.results and str(self.results), "task": self.task}


def exit_code_of(task: Task) -> ExitCode:
    """Return the exit code for the state of a task."""
    if task.status == "out_of_credit":
        return ExitCode.NO_CREDIT
    if task.status in ("failed", "cancelled"):
        return ExitCode.REFUSED
    return ExitCode.ROWS_FAILED if task.rows_failed else ExitCode.DONE


def exit_code_of_all(outcomes: Iterable[Outcome]) -> ExitCode:
    codes = {outcome.exit_code for outcome in outcomes}
    return next(code for code in SEVEREST_FIRST if code in codes or code is ExitCode.DONE)


def summary(task: Task, name: str) -> str:
    """Return one line about a task that has ended, with the next step."""
    parts = [
        f"{name}: {task.status.replace('_', ' ')}, {task.rows_done:,} rows, {task.rows_failed:,} failed,"
        f" {task.spent:,f} credits spent."
    ]
    if task.error:
        parts.append(task.error)
    if task.status == "out_of_credit":
        parts.append(f"Continue it with `restcalc batch resume {task.id}`, or run the same command again.")
    if task.status == "cancelled":
        parts.append(f"Continue it with `restcalc batch resume {task.id}`.")
    if task.status == "quoted":
        parts.append(f"Charge the rows with `restcalc batch start {task.id}`.")
    return as_text(" ".join(parts), for_people=True)
