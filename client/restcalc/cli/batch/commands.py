"""The commands of `restcalc batch`, with their examples."""

from __future__ import annotations

import typer

from restcalc.cli.batch.quote import quote
from restcalc.cli.batch.resume import resume
from restcalc.cli.batch.run import run_files
from restcalc.cli.batch.start import start
from restcalc.cli.batch.tasks import cancel, results, status, watch
from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.ids import EXAMPLE_ID

COLUMNS = ("id", "filename", "status", "rows_done", "rows_failed", "spent", "created_at")


def register(app: typer.Typer) -> None:
    batch = new_app("Process files with up to millions of calculations.")
    examples = (
        "restcalc batch run operations.csv",
        "restcalc batch run *.csv --results results/ --max-spend 1000",
    )
    command(batch, "run", *examples, "generate | restcalc batch run - > results.csv")(run_files)
    command(batch, "quote", "restcalc batch quote operations.csv")(quote)
    id = EXAMPLE_ID
    command(batch, "start", f"restcalc batch start {id}")(start)
    command(batch, "status", f"restcalc batch status {id}")(status)
    command(batch, "watch", f"restcalc batch watch {id}")(watch)
    add_list(
        batch,
        "list",
        "list_tasks",
        COLUMNS,
        "List your tasks, the newest first.",
        "restcalc batch list --where status=processing",
        date="created_at",
    )
    command(batch, "cancel", f"restcalc batch cancel {id}")(cancel)
    command(batch, "resume", f"restcalc batch resume {id} --max-spend 2000")(resume)
    command(batch, "results", f"restcalc batch results {id} -o results.csv")(results)
    app.add_typer(batch, name="batch")
