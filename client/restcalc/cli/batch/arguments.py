"""The arguments and options that several commands of `restcalc batch` have."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from restcalc.cli.ids import id_argument
from restcalc.cli.values import positive_credits

FilesArgument = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="CSV files with the header operation,arguments, or - for a pipe."),
]
TaskArgument = Annotated[
    str,
    id_argument("The id of the task. `restcalc batch list` shows it.", "TASK"),
]
MaxSpendOption = Annotated[
    Decimal | None,
    typer.Option(
        metavar="CREDITS", parser=positive_credits, help="Stop each file before it would spend more."
    ),
]
DetachOption = Annotated[bool, typer.Option("--detach", help="Do not wait until the task has ended.")]
