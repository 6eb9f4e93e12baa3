"""Where downloaded files go."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file to write, or - for standard output."),
]
STANDARD_OUTPUT = Path("-")


def save(download: Callable[[Path], object], output: Path | None, default: Path) -> Path | None:
    """Download a file, and return its path, or None for standard output."""
    if output != STANDARD_OUTPUT:
        file = output or default
        download(file)
        return file
    with TemporaryDirectory() as folder:
        file = Path(folder) / default.name
        download(file)
        print_file(file)
    return None


def print_file(file: Path) -> None:
    """Write the content of a file to standard output."""
    with file.open("rb") as source:
        shutil.copyfileobj(source, sys.stdout.buffer)
    sys.stdout.buffer.flush()
