"""Print what a quoted task found: the price of the file's rows by operation, and the bad rows."""

import csv
from collections import Counter
from collections.abc import Container, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.operations.catalog import ALIASES
from worker.csv_rows import CsvRows, is_blank

BAD_ROWS_SHOWN = 20
"""Bad rows to print. The results have all of them."""
BLOCK = 1024 * 1024
"""Bytes of one read from the file."""


def print_quote(task: Mapping[str, Any], file: Path, results: Path, prices: Mapping[str, Decimal]) -> None:
    """Print a quoted task of a file.

    Args:
        results: the results of the task, which are the bad rows.
        prices: the present price of each operation.
    """
    with results.open(encoding="utf-8", newline="") as source:
        bad_rows = {int(row["row"]): row["error"] for row in csv.DictReader(source)}
    table = Table("operation", box=None)
    for name in ("rows", "price", "credits"):
        table.add_column(name, justify="right")
    for operation, rows in sorted(_good_rows(file, bad_rows).items()):
        price = prices.get(operation, Decimal(0))
        table.add_row(operation, str(rows), f"{price}", f"{rows * price}")
    table.add_row("total", str(task["rows_done"] - len(bad_rows)), "", f"{task['cost']}")
    console = Console()
    console.print(table)
    for number, reason in list(bad_rows.items())[:BAD_ROWS_SHOWN]:
        console.print(f"row {number}, {reason}", markup=False, soft_wrap=True)
    if len(bad_rows) > BAD_ROWS_SHOWN:
        console.print(f"and {len(bad_rows) - BAD_ROWS_SHOWN} more bad rows")


def _good_rows(file: Path, bad_rows: Container[int]) -> Counter[str]:
    """Return the number of a file's rows by operation, without the bad rows. Rows have numbers from 1."""
    with file.open("rb") as content:
        rows = CsvRows(iter(lambda: content.read(BLOCK), b""), 0)
        rows.header()
        numbered = enumerate((row for row in rows if not is_blank(row)), 1)
        names = (row.cells[0].strip() for number, row in numbered if number not in bad_rows)
        return Counter(ALIASES.get(name, name) for name in names)
