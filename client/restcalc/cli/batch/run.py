"""batch run: process files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.batch.arguments import DetachOption, FilesArgument, MaxSpendOption
from restcalc.cli.batch.local_file import local_files
from restcalc.cli.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        bool,
        typer.Option("--anew", help="Begin at the first row, even if an earlier task of the file stopped."),
    ] = False,
) -> None:
    """Upload files, follow them, and download their results.

    Each row costs the price of its operation. Bad rows cost nothing; the results have their reason.

    Ctrl-C stops only the command: the service continues. Run the same command again to follow it. A file that
    stopped because the credit ran out continues at the same row.
    """
    from restcalc.cli.batch.file_run import Options
    from restcalc.cli.batch.files_run import FilesRun
    from restcalc.cli.batch.outcome import exit_with, print_outcome
    from restcalc.cli.batch.targets import result_files

    with local_files(files) as found, TemporaryDirectory(prefix="restcalc-") as folder:
        targets: Sequence[Path | None] = [None] * len(files)
        if not detach:
            targets = result_files(found, results, Path(folder), as_json=run.out.as_json)
        options = Options(max_spend=max_spend, anew=anew)
        with FilesRun(run, options, targets, detach=detach).process(found) as outcomes:
            for outcome in outcomes:
                print_outcome(run.out, outcome, printed_folder=Path(folder))
    exit_with(outcomes)
