"""What a quoted file costs: the price of its rows by operation, and its bad rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rich.table import Table

from restcalc.cli.values import as_text, decimal_text

if TYPE_CHECKING:
    from restcalc.cli.output import Output
    from restcalc.models import Task

BAD_ROWS_SHOWN = 20
"""Bad rows to print. `restcalc batch results` has all of them."""
ALIASES = {"subtraction": "substraction"}
LARGEST_CELL = 1 << 20


def print_prices(
    out: Output, task: Task, content: Path, bad_rows: Path, prices: Mapping[str, Decimal]
) -> None:
    """Print the price of a file.

    Args:
        content: the file.
        bad_rows: the results of the quoted task.
        prices: the present price of each operation.
    """
    with bad_rows.open(encoding="utf-8", newline="") as source:
        bad = {int(row["row"]): row["error"] for row in csv.DictReader(source)}
    counts = _good_rows(content, bad)
    costs = {name: prices.get(name, Decimal(0)) * count for name, count in counts.items()}
    # A price that changed meanwhile, or a row that is parsed differently here, would make a wrong table.
    if sum(costs.values()) == task.cost:
        out.console.print(_table(counts, costs, prices, task))
    else:
        out.line(f"{task.rows_done - len(bad):,} rows cost {decimal_text(task.cost or Decimal(0))} credits.")
    for number, reason in list(bad.items())[:BAD_ROWS_SHOWN]:
        out.line(as_text(f"row {number}, {reason}", for_people=True))
    if len(bad) > BAD_ROWS_SHOWN:
        out.line(f"and {len(bad) - BAD_ROWS_SHOWN:,} more bad rows: restcalc batch results {task.id}")


def _table(
    counts: Mapping[str, int], costs: Mapping[str, Decimal], prices: Mapping[str, Decimal], task: Task
) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("operation")
    for name in ("rows", "price", "credits"):
        table.add_column(name, justify="right")
    for name in sorted(counts):
        table.add_row(name, str(counts[name]), decimal_text(prices[name]), decimal_text(costs[name]))
    table.add_row("total", str(sum(counts.values())), "", decimal_text(task.cost or Decimal(0)), style="bold")
    return table


def _good_rows(content: Path, bad: Container[int]) -> Counter[str]:
    """Return the number of good rows by operation. Neither the header nor a blank line counts as a row."""
    limit = csv.field_size_limit(LARGEST_CELL)
    try:
        with content.open(encoding="utf-8-sig", errors="replace", newline="") as source:
            names = (row[0].strip() for number, row in enumerate(_rows(source), 1) if number not in bad)
            return Counter(ALIASES.get(name, name) for name in names)
    finally:
        csv.field_size_limit(limit)  # it applies to the whole process


def _rows(source: IO[str]) -> Iterator[list[str]]:
    rows = csv.reader(source)
    try:
        next(rows, None)
        yield from (row for row in rows if any(cell.strip() for cell in row))
    except csv.Error:  # the counts then differ from the service's, and no table is shown
        return
