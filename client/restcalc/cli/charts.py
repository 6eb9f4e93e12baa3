"""The chart of `restcalc usage`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.bar import Bar
from rich.table import Table

from restcalc.cli.values import decimal_text

if TYPE_CHECKING:
    from restcalc.models import Usage

FORMATS = {"hour": "%a %d %b %H:00", "day": "%a %d %b", "month": "%b %Y"}
LONGEST_BAR = 60
BAR_COLOR = "cyan"


def bars(usage: Usage, spent: Mapping[datetime, Decimal], width: int) -> Table:
    """Return a bar for each period from the first with usage on."""
    largest = max(spent.values())
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for period in _periods(min(spent), usage.to, usage.by):
        amount = spent.get(period, Decimal(0))
        length = max(10, min(LONGEST_BAR, width - 30))
        bar = Bar(float(largest) or 1, 0, float(amount), width=length, color=BAR_COLOR)
        table.add_row(f"{period.astimezone(UTC):{FORMATS[usage.by]}}", decimal_text(amount), bar)
    return table


def totals(usage: Usage) -> Table:
    """Return the sums by operation, the highest cost first."""
    calls, rows, spent = Counter[str](), Counter[str](), dict[str, Decimal]()
    for row in usage.usage:
        calls[row.operation] += row.calls
        rows[row.operation] += row.rows
        spent[row.operation] = spent.get(row.operation, Decimal(0)) + row.spent
    table = Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_footer=len(spent) > 1
    )
    total = (calls.total(), rows.total(), decimal_text(sum(spent.values(), Decimal(0))))
    table.add_column("operation", "total", footer_style="bold")
    for name, footer in zip(("calls", "rows", "spent"), total, strict=True):
        table.add_column(name, str(footer), justify="right", footer_style="bold")
    for name in sorted(spent, key=lambda name: spent[name], reverse=True):
        table.add_row(name, str(calls[name]), str(rows[name]), decimal_text(spent[name]))
    return table


def _periods(first: datetime, end: datetime, by: str) -> Iterator[datetime]:
    """Yield the begin of each period, also of those without usage."""
    period = first
    while period < end:
        yield period
        if by == "month":
            period = (period.replace(day=1) + timedelta(days=32)).replace(day=1)
        else:
            period += timedelta(hours=1) if by == "hour" else timedelta(days=1)
