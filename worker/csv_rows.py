"""Read a CSV file's rows as a stream from any row's beginning, with the exact offset and line of each.

Memory stays the same for any file: a line over 64 KiB is skipped as it comes, never gathered.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate, repeat
from typing import NamedTuple

LONGEST_LINE = 64 * 1024
"""Bytes."""
MOST_LINES = 128
"""Lines that one quoted row may span: a hundred arguments, one a line, and some."""
PART_LINES = 1024
"""Lines that are read at once."""
HEADER = ["operation", "arguments"]
BOM = b"\xef\xbb\xbf"

TOO_LONG = f"the line is longer than {LONGEST_LINE // 1024} KiB"
NOT_UTF8 = "the line is not UTF-8"
UNCLOSED = "a quote is not closed"
_REASONS = {
    "new-line character seen": "a carriage return stands inside the line",
    "unexpected end of data": UNCLOSED,
    "',' expected after": "text follows a closing quote",
}
"""What the beginning of a csv.Error means, in words for the file's owner."""


class NotACsv(Exception):
    """The file is not a CSV with the required header; the message tells its owner the reason."""


class Row(NamedTuple):
    """One row: its cells, or a fault instead."""

    cells: list[str]
    end: int
    """The offset after the row."""
    line: int
    """The number of its first line, from 1."""
    last_line: int
    fault: str | None = None


def is_blank(row: Row) -> bool:
    """Whether the row is a blank line, which does not count as a row."""
    cells = row.cells
    return len(cells) < 2 and not row.fault and not (cells and cells[0].strip())


class _Part(NamedTuple):
    """Consecutive lines without their line feeds, and the offset after each."""

    lines: list[bytes]
    ends: list[int]
    number: int
    """The number of the first line, from 1."""
    cut: bool
    """Whether the first line is only the end of one that is too long."""


class _Line(NamedTuple):
    text: str
    end: int
    number: int
    fault: str | None = None


class _Unclosed(Exception):
    """A quote stays open for longer than a row may be."""


class CsvRows:
    """The rows of a file from an offset on, blank lines included.

    Args:
        blocks: the file's bytes from `offset` on, in pieces of any size.
        offset: 0, or the end of an earlier row.
        lines: how many lines the file has before `offset`.
    """

    def __init__(self, blocks: Iterable[bytes], offset: int, lines: int = 0) -> None:
        self._parts = _parts(blocks, offset, lines)
        self._lines: deque[_Line] = deque()
        self._pending: list[_Line] = []
        self.offset = offset
        """The first byte that no part read so far holds; once all rows are read, the size of the file."""
        self.lines = lines
        """The lines before `offset`."""

    def header(self) -> None:
        """Read the first line.

        Raises:
            NotACsv: it is not `operation,arguments`.
        """
        part = next(self._parts, None)
        if part is None:
            raise NotACsv("The file is empty.")
        first, *others = _each(part._replace(lines=[part.lines[0].removeprefix(BOM), *part.lines[1:]]))
        if first.fault:
            raise NotACsv(f"The first line can't be read: {first.fault}.")
        try:
            cells = next(csv.reader([first.text]), [])
        except csv.Error:  # a file of the oldest Macs, whose lines end with a carriage return only
            cells = []
        if [cell.strip().lower() for cell in cells] != HEADER:
            raise NotACsv(f"The first line must be '{','.join(HEADER)}', not {first.text.rstrip()[:80]!r}.")
        self._pass(first)
        self._lines.extend(others)

    def __iter__(self) -> Iterator[Row]:
        yield from self._one_by_one()
        for part in self._parts:
            if (rows := _at_once(part)) is not None:
                self.offset, self.lines = part.ends[-1], part.number + len(part.lines) - 1
                yield from rows
            else:
                self._lines.extend(_each(part))
                yield from self._one_by_one()

    def _pass(self, line: _Line) -> None:
        self.offset, self.lines = line.end, line.number

    def _one_by_one(self) -> Iterator[Row]:
        """The rows of the buffered lines, and of as many more as the last row spans."""
        while self._lines:
            reader = csv.reader(self._texts(), strict=True)
            try:
                for cells in reader:
                    lines = self._pending
                    self._pending = []
                    self._pass(lines[-1])
                    fault = next((line.fault for line in lines if line.fault), None)
                    yield Row(cells, self.offset, lines[0].number, self.lines, fault)
            except (csv.Error, _Unclosed) as error:
                # Only the row's first line is faulty: those after it are read again.
                first, *others = self._pending
                self._pending = []
                self._lines.extendleft(reversed(others))
                self._pass(first)
                reason = UNCLOSED if others else _reason(error)
                yield Row([], first.end, first.number, first.number, first.fault or reason)

    def _texts(self) -> Iterator[str]:
        """The lines for csv.reader; `_pending` holds those of its current row."""
        while True:
            if not self._lines and self._pending and (part := next(self._parts, None)):
                self._lines.extend(_each(part))
            if not self._lines:
                return
            line = self._lines.popleft()
            self._pending.append(line)
            if len(self._pending) > MOST_LINES:
                raise _Unclosed
            yield line.text


def _reason(error: Exception) -> str:
    """A csv.Error in words for the file's owner; its own text is for programmers."""
    return next(
        (reason for start, reason in _REASONS.items() if str(error).startswith(start)), "the line is not CSV"
    )


def _parts(blocks: Iterable[bytes], offset: int, line: int) -> Iterator[_Part]:
    rest, cut, number = b"", False, line + 1
    for block in blocks:
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for start in range(0, len(lines), PART_LINES):
            some = lines[start : start + PART_LINES]
            ends = list(accumulate([len(line) + 1 for line in some], initial=offset))[1:]
            offset = ends[-1]
            yield _Part(some, ends, number, cut)
            number += len(some)
            cut = False
        if len(rest) > LONGEST_LINE:
            if offset == 0:  # no header: the file is refused without reading on
                yield _Part([b""], [len(rest)], number, cut=True)
                return
            offset, rest, cut = offset + len(rest), b"", True
    if rest or cut:
        yield _Part([rest], [offset + len(rest)], number, cut)


def _at_once(part: _Part) -> list[Row] | None:
    """The rows of a part in which every line is a row, as in nearly all parts: then there are as many rows
    as lines. None for any other part, which is read line by line, in three times the time.
    """
    if part.cut or max(map(len, part.lines)) > LONGEST_LINE:
        return None
    try:
        rows = list(csv.reader([line.decode() for line in part.lines], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    if len(rows) != len(part.lines):
        return None
    # As `Row(…)` for each, at a third of its time: no code of Row's is run.
    numbers = range(part.number, part.number + len(rows))
    return list(map(tuple.__new__, repeat(Row), zip(rows, part.ends, numbers, numbers, repeat(None))))


def _each(part: _Part) -> Iterator[_Line]:
    cut = part.cut
    for number, (line, end) in enumerate(zip(part.lines, part.ends, strict=True), part.number):
        yield _line(line, end, number, cut)
        cut = False


def _line(line: bytes, end: int, number: int, cut: bool) -> _Line:
    """A line for csv.reader; a line that is too long or not UTF-8 has a fault instead of text."""
    if cut or len(line) > LONGEST_LINE:
        return _Line("", end, number, TOO_LONG)
    try:
        return _Line(line.rstrip(b"\r").decode() + "\n", end, number)
    except UnicodeDecodeError:
        return _Line("", end, number, NOT_UTF8)
