"""Tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rich import table as rich
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.text import Text

from restcalc.cli.values import as_text

GAP = 2
NARROWEST = 12
"""The width to which long values are cut before a column is hidden."""
TITLES = {"operation_response": "result", "user_balance": "balance", "balance_after": "balance"}
"""Titles that are shorter than the names of their fields."""
STATUS_STYLES = {
    "completed": "green",
    "active": "green",
    "quoted": "cyan",
    "processing": "cyan",
    "out_of_credit": "yellow",
    "failed": "red",
    "inactive": "red",
    "cancelled": "dim",
    "awaiting_upload": "dim",
}


class Table:
    """Columns whose widths come from the first rows, so that later rows continue the same table.

    A table that does not fit cuts long values, but no times and ids, then hides columns, the last one first.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> None:
        self._columns = columns
        self._titles = True
        self._right = [_are_numbers([row[n] for row in rows]) for n in range(len(columns))]
        self._widths = [
            max(cell_len(_title(name)), *(cell_len(as_text(row[n], for_people=True)) for row in rows))
            for n, name in enumerate(columns)
        ]
        rigid = [any(isinstance(row[n], datetime | UUID) for row in rows) for n in range(len(columns))]
        self.hidden = self._fit(width, rigid)

    def _fit(self, width: int, rigid: list[bool]) -> list[str]:
        """Narrow the columns, and return the names of those that stay hidden."""
        shown = len(self._columns)
        least = [w if stiff else min(w, NARROWEST) for w, stiff in zip(self._widths, rigid, strict=True)]
        while shown > 1 and sum(least[:shown]) + GAP * (shown - 1) > width:
            shown -= 1
        excess = sum(self._widths[:shown]) + GAP * (shown - 1) - width
        for n in sorted(range(shown), key=lambda n: self._widths[n] - least[n], reverse=True):
            cut = max(0, min(excess, self._widths[n] - least[n]))
            self._widths[n] -= cut
            excess -= cut
        self._shown = shown
        return list(self._columns[shown:])

    def render(self, rows: Sequence[Sequence[Any]]) -> rich.Table:
        """Return rows as a table, the first time with titles."""
        table = rich.Table(
            box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=self._titles, header_style="bold"
        )
        self._titles = False
        for name, width, right in zip(self._columns[: self._shown], self._widths, self._right, strict=False):
            justify: JustifyMethod = "right" if right else "left"
            table.add_column(_title(name), width=width, justify=justify, no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(
                *(_cell(name, value) for name, value in zip(self._columns, row[: self._shown], strict=False))
            )
        return table


def facts_table(facts: Mapping[str, str]) -> rich.Table:
    """Return names and values in two columns."""
    table = rich.Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, _cell(name, value))
    return table


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _cell(name: str, value: Any) -> Text:
    text = as_text(value, for_people=True)
    return Text(text, style=STATUS_STYLES.get(text, "") if name == "status" else "")


def _are_numbers(values: Sequence[Any]) -> bool:
    numbers = [value for value in values if value is not None]
    return bool(numbers) and not any(
        isinstance(n, bool) or not isinstance(n, int | float | Decimal) for n in numbers
    )
