"""The commands of `restcalc batch`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.batch.local_file import local_files
from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.downloads import OutputOption, print_file, save
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.invocation import Invocation
from restcalc.cli.values import positive_credits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from restcalc.cli.batch.outcome import Outcome

FACTS = (
    *(
        "id",
        "filename",
        "status",
        "rows_done",
        "rows_failed",
        "percentage",
        "rows_per_second",
        "seconds_left",
    ),
    *("spent", "max_spend", "cost", "error", "created_at", "finished_at"),
)
COLUMNS = ("id", "filename", "status", "rows_done", "rows_failed", "spent", "created_at")

FilesArgument = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="CSV files with the header operation,arguments, or - for a pipe."),
]
TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="The id of the task. `restcalc batch list` shows it.")
]
MaxSpendOption = Annotated[
    Decimal | None,
    typer.Option(
        metavar="CREDITS", parser=positive_credits, help="Stop each file before it would spend more."
    ),
]
DetachOption = Annotated[bool, typer.Option("--detach", help="Do not wait until the task has ended.")]


def run_files(
    run: Invocation,
    files: FilesArgument,
    max_spend: MaxSpendOption = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            "-o",
            metavar="PATH",
            help="A file or folder for the results, or -. By default FILE.results.csv.",
        ),
    ] = None,
    detach: DetachOption = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Do not continue a task of the same file that stopped.")
    ] = False,
) -> None:
    """Upload files, follow them, and download their results.

    Each row costs the price of its operation. Bad rows cost nothing; the results have their reason.

    Ctrl-C stops only the command: the service continues. Run the same command again to follow it. A file that
    stopped because the credit ran out continues at the same row.
    """
    from restcalc.cli.batch.file_run import Options
    from restcalc.cli.batch.files_run import FilesRun
    from restcalc.cli.batch.targets import result_files

    with local_files(files) as found, TemporaryDirectory(prefix="restcalc-") as folder:
        targets: Sequence[Path | None] = [None] * len(files)
        if not detach:
            targets = result_files(found, results, Path(folder), as_json=run.out.as_json)
        options = Options(max_spend=max_spend, anew=anew)
        with FilesRun(run, options, targets, detach=detach).process(found) as outcomes:
            for outcome in outcomes:
                _print(run, outcome, printed_folder=Path(folder))
    _exit(outcomes)


def quote(run: Invocation, files: FilesArgument) -> None:
    """Check and price all rows of files, and charge none.

    Prints the price by operation and the bad rows. `restcalc batch start` charges a quoted file without
    another upload.
    """
    from restcalc.cli.batch.file_run import Options
    from restcalc.cli.batch.files_run import FilesRun
    from restcalc.cli.batch.quote import print_quote

    with local_files(files) as found, TemporaryDirectory(prefix="restcalc-") as folder:
        targets = [Path(folder) / str(number) for number in range(len(found))]
        with FilesRun(run, Options(dry_run=True), targets).process(found) as outcomes:
            prices = {operation.type: operation.cost for operation in run.client.list_operations()}
            for file, outcome, bad_rows in zip(found, outcomes, targets, strict=True):
                if not run.out.as_json and outcome.task and outcome.task.status == "quoted":
                    print_quote(run.out, outcome.task, file.path, bad_rows, prices)
                _print(run, replace(outcome, results=None))
    _exit(outcomes)


def start(run: Invocation, task: TaskArgument, detach: DetachOption = False) -> None:
    """Charge the rows of a quoted file, and follow it."""
    from restcalc import Conflict

    try:
        with run.once("start_task", task) as key:
            run.client.start_task(task, idempotency_key=key)
    except Conflict:
        if run.client.get_task(task).status not in (
            "queued",
            "processing",
        ):  # else an earlier try has started it
            raise
    _follow(run, [task], detach)


def resume(
    run: Invocation,
    task: TaskArgument,
    max_spend: MaxSpendOption = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Remove the task's --max-spend.")] = False,
    detach: DetachOption = False,
) -> None:
    """Continue a task that ran out of credit or was cancelled, at the same row, and follow it."""
    from restcalc import UNCHANGED

    if no_limit and max_spend is not None:
        raise Failure("Use --max-spend or --no-limit, not both.", ExitCode.USAGE)
    limit = None if no_limit else UNCHANGED if max_spend is None else max_spend
    run.client.resume_task(task, max_spend=limit)
    _follow(run, [task], detach)


def watch(
    run: Invocation,
    tasks: Annotated[list[str], typer.Argument(metavar="TASK...", help="The ids of the tasks.")],
) -> None:
    """Follow tasks until they have ended."""
    _follow(run, tasks)


def status(run: Invocation, task: TaskArgument) -> None:
    """Show a task: its progress, speed and cost."""
    found = run.client.get_task(task)
    facts = {name: getattr(found, name) for name in FACTS}
    run.out.facts({name: value for name, value in facts.items() if value is not None}, found)


def cancel(run: Invocation, task: TaskArgument) -> None:
    """Stop a task. Rows that were charged stay charged, and have results."""
    found = run.client.cancel_task(task)
    sentence = f"{found.filename} is {found.status.replace('_', ' ')}. It cost {found.spent:,f} credits."
    if found.status == "cancelled" and not found.dry_run:
        sentence += f" Continue it with `restcalc batch resume {found.id}`."
    run.out.done(sentence, found)


def results(run: Invocation, task: TaskArgument, output: OutputOption = None) -> None:
    """Download the results of a task that has ended: every row with its result, cost and error."""
    default = Path(f"{Path(run.client.get_task(task).filename).name or 'file'}.results.csv")
    if file := save(lambda path: run.client.download_results(task, path), output, default):
        run.out.result(str(file), {"file": str(file)})


def _follow(run: Invocation, tasks: list[str], detach: bool = False) -> None:
    from restcalc.cli.batch.follow import follow

    if detach:
        for task in tasks:
            run.out.result(task, run.client.get_task(task))
        return
    outcomes = follow(run, tasks)
    for outcome in outcomes:
        _print(run, outcome)
    _exit(outcomes)


def _print(run: Invocation, outcome: Outcome, printed_folder: Path | None = None) -> None:
    """Print how a file ended: a line on standard error, and on standard output the path of its results.

    Args:
        printed_folder: the folder of the results whose content is printed instead.
    """
    from restcalc.cli.batch.outcome import next_step, summary

    if outcome.failure:
        run.out.errors.print(f"{outcome.name}: {outcome.failure.message}", style="red")
    elif outcome.task and outcome.task.finished_at:
        run.out.errors.print(summary(outcome.task, outcome.name))
        if step := next_step(outcome.task):
            run.out.note(step)
    if run.out.as_json:
        run.out.json(outcome.as_json())
    elif outcome.results:
        printed = outcome.results.parent == printed_folder
        print_file(outcome.results) if printed else run.out.line(str(outcome.results))
    elif outcome.task and not outcome.task.finished_at:
        run.out.line(str(outcome.task.id))


def _exit(outcomes: list[Outcome]) -> None:
    from restcalc.cli.batch.outcome import exit_code_of_all

    if code := exit_code_of_all(outcomes):
        raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    batch = new_app("Process files with up to millions of calculations.")
    examples = (
        "restcalc batch run operations.csv",
        "restcalc batch run *.csv --results results/ --max-spend 1000",
    )
    command(batch, "run", *examples, "generate | restcalc batch run - > results.csv")(run_files)
    command(batch, "quote", "restcalc batch quote operations.csv")(quote)
    id = "0193a1c2-7d6e-7f00-8000-000000000000"
    command(batch, "start", f"restcalc batch start {id}")(start)
    command(batch, "status", f"restcalc batch status {id}")(status)
    command(batch, "watch", f"restcalc batch watch {id}")(watch)
    help = "List your tasks, the newest first."
    add_list(
        batch,
        "list",
        "list_tasks",
        COLUMNS,
        help,
        "restcalc batch list --where status=processing",
        date="created_at",
    )
    command(batch, "cancel", f"restcalc batch cancel {id}")(cancel)
    command(batch, "resume", f"restcalc batch resume {id} --max-spend 2000")(resume)
    command(batch, "results", f"restcalc batch results {id} -o results.csv")(results)
    app.add_typer(batch, name="batch")
