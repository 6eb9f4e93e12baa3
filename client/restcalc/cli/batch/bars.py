"""The progress of files, on standard error and only in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from restcalc.cli.times import clock
from restcalc.cli.values import as_text

if TYPE_CHECKING:
    from restcalc.models import Task

WIDE = 112
"""The width of a terminal from which the bars are long and show what is spent."""
LONGEST_NAME, BAR_WIDTH = 24, 20
NARROW_NAME, NARROW_BAR = 16, 10


class Bars:
    """One bar for each file."""

    def __init__(self, console: Console) -> None:
        self._wide = console.width >= WIDE
        self._progress = Progress(
            TextColumn("{task.fields[name]}"),
            TextColumn("{task.description}", style="cyan", table_column=Column(no_wrap=True)),
            BarColumn(BAR_WIDTH if self._wide else NARROW_BAR, complete_style="cyan"),
            TextColumn("{task.fields[detail]}", style="dim", table_column=Column(no_wrap=True)),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def add(self, name: str) -> Bar:
        text = as_text(name, for_people=True)
        longest = LONGEST_NAME if self._wide else NARROW_NAME
        short = text if len(text) <= longest else f"…{text[1 - longest :]}"
        row = self._progress.add_task("waiting", total=None, name=Text(short), detail="")
        return Bar(self._progress, row, text, shows_spent=self._wide)


class Bar:
    """The bar of one file."""

    def __init__(self, progress: Progress, row: TaskID, name: str, *, shows_spent: bool) -> None:
        self._progress, self._row, self._name, self._shows_spent = progress, row, name, shows_spent

    def created(self, task_id: UUID) -> None:
        self._progress.console.print(f"{self._name}: task {task_id}", style="dim")

    def uploaded(self, done: int, total: int) -> None:
        self._show("uploading", done, total, f"{decimal(done)} of {decimal(total)}")

    def downloaded(self, done: int, total: int) -> None:
        self._show("fetching", done, total, decimal(done))

    def changed(self, task: Task) -> None:
        detail = ", ".join(_progress_of(task, with_spent=self._shows_spent))
        self._show(task.status.replace("_", " "), task.bytes_done, task.bytes_total, detail)

    def _show(self, state: str, done: int, total: int, detail: str) -> None:
        self._progress.update(
            self._row, description=state, completed=done, total=total or None, detail=detail
        )


def _progress_of(task: Task, *, with_spent: bool) -> Iterator[str]:
    yield f"{task.rows_done:,} rows"
    if task.rows_per_second:
        yield f"{task.rows_per_second:,.0f} rows/s"
    if task.seconds_left is not None:
        yield f"{clock(task.seconds_left)} left"
    if task.spent and with_spent:
        yield f"{task.spent:,f} spent"
