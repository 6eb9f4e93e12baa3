"""export: write all rows of a list to a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import (
    FieldsOption,
    SinceOption,
    UntilOption,
    WhereOption,
    add_list,
    filters_of,
)
from restcalc.cli.downloads import OutputOption, save
from restcalc.cli.failures import Failure
from restcalc.cli.ids import EXAMPLE_ID, id_argument
from restcalc.cli.invocation import Invocation
from restcalc.enums import ExportFormat, ExportResource


def create(
    run: Invocation,
    resource: Annotated[ExportResource, typer.Argument(metavar="records|ledger", help="What to export.")],
    where: WhereOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    fields: FieldsOption = None,
    format: Annotated[ExportFormat, typer.Option(help="The form of the file.")] = ExportFormat.CSV,
    output: OutputOption = None,
) -> None:
    """Export all rows to a file, a million rows in seconds.

    The service writes the file in the background; the command waits and downloads it.
    """
    filters = filters_of(where, since, until, "date")
    selected: Iterable[str] = fields.split(",") if fields else ()
    export = run.client.create_export(resource, format, filters=filters, fields=selected)
    _fetch(run, export.id, output)


def get(
    run: Invocation,
    id: Annotated[
        str,
        id_argument("The id of the export. `restcalc export list` shows it."),
    ],
    output: OutputOption = None,
) -> None:
    """Wait until an export is completed, and download its file. It is kept for 7 days."""
    _fetch(run, id, output)


def _fetch(run: Invocation, id: Any, output: Path | None) -> None:
    try:
        export = run.client.wait_export(id)
        if export.error:
            raise Failure(f"The export failed: {export.error}")
        default = Path(f"{export.resource}.{export.format}")
        file = save(lambda path: run.client.download_export(id, path), output, default)
    except KeyboardInterrupt:
        run.out.note(f"The service continues the export. Download it with `restcalc export get {id}`.")
        raise
    if file:
        run.out.result(str(file), {"file": str(file), "export": export})


def register(app: typer.Typer) -> None:
    export = new_app("Export all rows of your history or your statement to a file.")
    examples = (
        "restcalc export create records --since 2026-01-01",
        "restcalc export create ledger --format jsonl -o -",
    )
    command(export, "create", *examples)(create)
    columns = ("id", "resource", "format", "status", "rows_done", "created_at", "expires_at")
    add_list(
        export,
        "list",
        "list_exports",
        columns,
        "List your exports.",
        "restcalc export list",
        date="created_at",
    )
    command(export, "get", f"restcalc export get {EXAMPLE_ID} -o records.csv")(get)
    app.add_typer(export, name="export")
