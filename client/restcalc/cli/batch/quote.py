"""batch quote: price files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from restcalc.cli.batch.arguments import FilesArgument
from restcalc.cli.batch.local_file import local_files
from restcalc.cli.invocation import Invocation


def quote(run: Invocation, files: FilesArgument) -> None:
    """Check and price all rows of files, and charge none.

    Prints the price by operation and the bad rows. `restcalc batch start` charges a quoted file without
    another upload.
    """
    from restcalc.cli.batch.file_run import Options
    from restcalc.cli.batch.files_run import FilesRun
    from restcalc.cli.batch.outcome import exit_with, print_outcome
    from restcalc.cli.batch.price_table import print_prices
    from restcalc.enums import TaskStatus

    with local_files(files) as found, TemporaryDirectory(prefix="restcalc-") as folder:
        targets = [Path(folder) / str(number) for number in range(len(found))]
        with FilesRun(run, Options(dry_run=True), targets).process(found) as outcomes:
            prices = {operation.type: operation.cost for operation in run.client.list_operations()}
            for file, outcome, bad_rows in zip(found, outcomes, targets, strict=True):
                if not run.out.as_json and outcome.task and outcome.task.status == TaskStatus.QUOTED:
                    print_prices(run.out, outcome.task, file.path, bad_rows, prices)
                print_outcome(run.out, replace(outcome, results=None))
    exit_with(outcomes)
