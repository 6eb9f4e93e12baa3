"""batch status, watch, cancel and results: tasks that are in the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from restcalc.cli.batch.arguments import TaskArgument
from restcalc.cli.downloads import OutputOption, save
from restcalc.cli.ids import id_argument
from restcalc.cli.invocation import Invocation

FACTS = (
    *("id", "filename", "status", "rows_done", "rows_failed", "percentage", "rows_per_second"),
    *("seconds_left", "spent", "max_spend", "cost", "error", "created_at", "finished_at"),
)


def status(run: Invocation, task: TaskArgument) -> None:
    """Show a task: its progress, speed and cost."""
    found = run.client.get_task(task)
    facts = {name: getattr(found, name) for name in FACTS}
    run.out.facts({name: value for name, value in facts.items() if value is not None}, found)


def watch(
    run: Invocation,
    tasks: Annotated[list[str], id_argument("The ids of the tasks.", "TASK...")],
) -> None:
    """Follow tasks until they have ended."""
    from restcalc.cli.batch.follow import follow_and_print

    follow_and_print(run, tasks)


def cancel(run: Invocation, task: TaskArgument) -> None:
    """Stop a task. Rows that were charged stay charged, and have results."""
    from restcalc.enums import TaskStatus

    found = run.client.cancel_task(task)
    sentence = f"{found.filename} is {found.status.replace('_', ' ')}. It cost {found.spent:,f} credits."
    if found.status == TaskStatus.CANCELLED and not found.dry_run:
        sentence += f" Continue it with `restcalc batch resume {found.id}`."
    run.out.done(sentence, found)


def results(run: Invocation, task: TaskArgument, output: OutputOption = None) -> None:
    """Download the results of a task that has ended: every row with its result, cost and error."""
    default = Path(f"{Path(run.client.get_task(task).filename).name or 'file'}.results.csv")
    if file := save(lambda path: run.client.download_results(task, path), output, default):
        run.out.result(str(file), {"file": str(file)})
