"""What commands print: tables for people, tab-separated columns for pipes, or one JSON object a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from restcalc.cli.values import as_text

if TYPE_CHECKING:
    from rich.console import Console

BATCH_ROWS = 100
"""Rows that are requested and printed together."""


class Output:
    """Standard output for results, and standard error for everything else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.for_people = not as_json and sys.stdout.isatty()

    @cached_property
    def console(self) -> Console:
        """Standard output. Plain without a terminal, and with NO_COLOR."""
        from rich.console import Console

        return Console(highlight=False, markup=False, emoji=False)

    @cached_property
    def errors(self) -> Console:
        """Standard error."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def json(self, value: Any) -> None:
        """Print a value as JSON in one line."""
        from restcalc import to_json

        self.line(to_json(value).decode())

    def line(self, text: str) -> None:
        """Print one line, and write it out at once: what follows relies on it."""
        print(text, flush=True)

    def note(self, text: str) -> None:
        """Print a line for people on standard error."""
        self.errors.print(text, style="dim")

    def result(self, value: Any, answer: Any) -> None:
        """Print the one value of an answer, or with --json the whole answer."""
        if self.as_json:
            self.json(answer)
        else:
            self.line(as_text(value, for_people=self.for_people))

    def done(self, sentence: str, answer: Any = None) -> None:
        """Print a sentence that says what was done, or with --json the answer, if there is one."""
        if not self.as_json:
            self.line(as_text(sentence, for_people=True))
        elif answer is not None:
            self.json(answer)

    def facts(self, facts: Mapping[str, Any], answer: Any) -> None:
        """Print the facts about one object, or with --json the object."""
        if self.as_json:
            self.json(answer)
            return
        texts = {name: as_text(value, for_people=self.for_people) for name, value in facts.items()}
        if not self.for_people:
            self.line("\n".join(f"{name}\t{text}" for name, text in texts.items()))
            return
        from restcalc.cli.tables import facts_table

        self.console.print(facts_table(texts))

    def rows(self, rows: Iterable[Any], columns: Sequence[str]) -> int:
        """Print rows as they arrive, and return their number.

        Args:
            columns: the names of the fields to show. With --json all fields that a row has are printed.
        """
        if self.as_json:
            return self._json_rows(rows)
        return self._table(rows, columns) if self.for_people else self._plain_rows(rows, columns)

    def _json_rows(self, rows: Iterable[Any]) -> int:
        count = 0
        for row in rows:
            self.json(row)
            count += 1
        return count

    def _plain_rows(self, rows: Iterable[Any], columns: Sequence[str]) -> int:
        count = 0
        for row in rows:
            if not count:
                self.line("\t".join(columns))
            self.line("\t".join(as_text(getattr(row, name), for_people=False) for name in columns))
            count += 1
        if not count:
            self.line("\t".join(columns))
        return count

    def _table(self, rows: Iterable[Any], columns: Sequence[str]) -> int:
        from restcalc.cli.tables import Table

        source, table, count = iter(rows), None, 0
        while batch := list(islice(source, BATCH_ROWS)):
            values = [[getattr(row, name) for name in columns] for row in batch]
            table = table or Table(columns, values, self.console.width)
            self.console.print(table.render(values))
            count += len(batch)
        if table is None:
            self.note("Nothing found.")
        elif table.hidden:
            self.note(f"Too narrow for {', '.join(table.hidden)}: use a wider terminal, --fields or --json.")
        return count
