"""The progress of files, on standard error and only in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from restcalc.cli.times import clock
from restcalc.cli.values import as_text

if TYPE_CHECKING:
    from restcalc.models import Task

LONGEST_NAME = 24
BAR_WIDTH = 20


class Bars:
    """One bar for each file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.fields[name]}"),
            TextColumn("{task.description}", style="cyan"),
            BarColumn(BAR_WIDTH),
            TextColumn("{task.fields[detail]}", style="dim"),
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
        short = text if len(text) <= LONGEST_NAME else f"…{text[1 - LONGEST_NAME :]}"
        row = self._progress.add_task("waiting", total=None, name=Text(short), detail="")
        return Bar(self._progress, row, text)


class Bar:
    """The bar of one file."""

    def __init__(self, progress: Progress, row: TaskID, name: str) -> None:
        self._progress, self._row, self._name = progress, row, name

    def created(self, task_id: UUID) -> None:
        self._progress.console.print(f"{self._name}: task {task_id}", style="dim")

    def uploaded(self, done: int, total: int) -> None:
        self._show("uploading", done, total, f"{_size(done)} of {_size(total)}")

    def downloaded(self, done: int, total: int) -> None:
        self._show("fetching", done, total, _size(done))

    def changed(self, task: Task) -> None:
        self._show(task.status.replace("_", " "), task.bytes_done, task.bytes_total, progress_of(task))

    def _show(self, state: str, done: int, total: int, detail: str) -> None:
        self._progress.update(
            self._row, description=state, completed=done, total=total or None, detail=detail
        )


def progress_of(task: Task) -> str:
    """Return rows, speed, time left and credits spent."""
    parts = [f"{task.rows_done:,} rows"]
    if task.rows_per_second:
        parts.append(f"{task.rows_per_second:,.0f}/s")
    if task.seconds_left is not None:
        parts.append(f"{clock(task.seconds_left)} left")
    if task.spent:
        parts.append(f"{task.spent:,f} spent")
    return ", ".join(parts)


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
