"""How the processing of a file ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from restcalc.cli.downloads import print_file
from restcalc.cli.exit_codes import SEVEREST_FIRST, ExitCode
from restcalc.cli.values import as_text
from restcalc.enums import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from restcalc.cli.failures import Failure
    from restcalc.cli.output import Output
    from restcalc.models import Task

STOPPED = {TaskStatus.OUT_OF_CREDIT, TaskStatus.CANCELLED}
"""The ends from which a task can be resumed."""
FINAL = {TaskStatus.COMPLETED, TaskStatus.QUOTED, TaskStatus.FAILED}
NEXT_STEPS = {
    TaskStatus.OUT_OF_CREDIT: "Continue it: restcalc batch resume",
    TaskStatus.CANCELLED: "Continue it: restcalc batch resume",
    TaskStatus.QUOTED: "Charge the rows: restcalc batch start",
}
"""What a user may do next with a task, by its status. The id follows."""


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
        return self.task is not None and self.task.status in FINAL

    def as_json(self) -> dict[str, Any]:
        if self.failure:
            return {"file": self.name, "error": self.failure.message, "exit_code": int(self.exit_code)}
        return {"file": self.name, "results": self.results and str(self.results), "task": self.task}


def exit_code_of(task: Task) -> ExitCode:
    """Return the exit code for the state of a task."""
    if task.status == TaskStatus.OUT_OF_CREDIT:
        return ExitCode.NO_CREDIT
    if task.status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        return ExitCode.REFUSED
    return ExitCode.ROWS_FAILED if task.rows_failed else ExitCode.DONE


def exit_code_of_all(outcomes: Iterable[Outcome]) -> ExitCode:
    codes = {outcome.exit_code for outcome in outcomes}
    return next(code for code in SEVEREST_FIRST if code in codes or code is ExitCode.DONE)


def exit_with(outcomes: Iterable[Outcome]) -> None:
    """End the command with the exit code for all files. Raises: typer.Exit unless all are done."""
    if code := exit_code_of_all(outcomes):
        raise typer.Exit(code)


def print_outcome(out: Output, outcome: Outcome, printed_folder: Path | None = None) -> None:
    """Print how a file ended: a line on standard error, and on standard output the path of its results.

    Args:
        printed_folder: the folder of the results whose content is printed instead.
    """
    if outcome.failure:
        out.errors.print(f"{outcome.name}: {outcome.failure.message}", style="red")
    elif outcome.task and outcome.task.finished_at:
        out.errors.print(summary(outcome.task, outcome.name))
        if step := next_step(outcome.task):
            out.note(step)
    if out.as_json:
        out.json(outcome.as_json())
    elif outcome.results:
        printed = outcome.results.parent == printed_folder
        print_file(outcome.results) if printed else out.line(str(outcome.results))
    elif outcome.task and not outcome.task.finished_at:
        out.line(str(outcome.task.id))


def summary(task: Task, name: str) -> str:
    """Return one line about a task that has ended."""
    text = (
        f"{name}: {task.status.replace('_', ' ')}, {task.rows_done:,} rows, {task.rows_failed:,} failed,"
        f" {task.spent:,f} credits spent. {task.error or ''}"
    )
    return as_text(text.strip(), for_people=True)


def next_step(task: Task) -> str | None:
    """Return one line about what to do next with a task that has ended."""
    step = NEXT_STEPS.get(task.status)
    return step and f"  {step} {task.id}"
