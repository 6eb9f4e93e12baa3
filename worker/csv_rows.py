"""Stream the rows of a CSV file, starting at any row, with the exact byte offset and line number of each.

Memory is constant: lines over 64 KiB are skipped while they are read.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate, repeat
from typing import NamedTuple

LINE_BYTES_LIMIT = 64 * 1024
"""Bytes of one line."""
ROW_LINES_LIMIT = 128
"""Lines that one quoted row may span: enough for 100 arguments, one on each line."""
PART_LINES = 1024
"""Lines parsed by one call of csv.reader."""
HEADER = ["operation", "arguments"]
BOM = b"\xef\xbb\xbf"

TOO_LONG = f"the line is longer than {LINE_BYTES_LIMIT // 1024} KiB"
NOT_UTF8 = "the line is not UTF-8"
UNCLOSED = "a quote is not closed"
_REASONS = {
    "new-line character seen": "a carriage return is inside the line",
    "unexpected end of data": UNCLOSED,
    "',' expected after": "text follows a closing quote",
}
"""The message for the owner of the file, by the start of the csv.Error's text."""


class NotACsv(Exception):
    """The file is not a CSV with the required header. The message is for the file's owner."""


class Row(NamedTuple):
    """One row: its cells, or the fault that made it unreadable."""

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
    """Whether the first line is the rest of a line whose beginning was skipped as too long."""


class _Line(NamedTuple):
    text: str
    end: int
    number: int
    fault: str | None = None


class _UnclosedQuote(Exception):
    """A quoted cell spans more lines than a row may have."""


class CsvRows:
    """Iterate over the rows of a file from an offset on, blank lines included.

    Args:
        blocks: the file's bytes from `offset` on, in pieces of any size.
        offset: 0, or the end of an earlier row.
        lines: the number of lines before `offset`.
    """

    def __init__(self, blocks: Iterable[bytes], offset: int, lines: int = 0) -> None:
        self._parts = _parts(blocks, offset, lines)
        self._lines: deque[_Line] = deque()
        self._pending: list[_Line] = []
        self.offset = offset
        """The offset after the lines parsed so far; at the end, the size of the file."""
        self.lines = lines
        """The number of lines before `offset`."""

    def header(self) -> None:
        """Read and check the first line.

        Raises:
            NotACsv: it is not `operation,arguments`.
        """
        part = next(self._parts, None)
        if part is None:
            raise NotACsv("The file is empty.")
        first, *others = _split_lines(part._replace(lines=[part.lines[0].removeprefix(BOM), *part.lines[1:]]))
        if first.fault:
            raise NotACsv(f"The first line cannot be parsed: {first.fault}.")
        try:
            cells = next(csv.reader([first.text]), [])
        except csv.Error:  # classic Mac OS line ends: carriage returns only
            cells = []
        if [cell.strip().lower() for cell in cells] != HEADER:
            raise NotACsv(f"The first line must be '{','.join(HEADER)}', not {first.text.rstrip()[:80]!r}.")
        self._advance(first)
        self._lines.extend(others)

    def __iter__(self) -> Iterator[Row]:
        yield from self._parse_line_by_line()
        for part in self._parts:
            if (rows := _parse_simple_part(part)) is not None:
                self.offset, self.lines = part.ends[-1], part.number + len(part.lines) - 1
                yield from rows
            else:
                self._lines.extend(_split_lines(part))
                yield from self._parse_line_by_line()

    def _advance(self, line: _Line) -> None:
        self.offset, self.lines = line.end, line.number

    def _parse_line_by_line(self) -> Iterator[Row]:
        """Yield the rows of the buffered lines. Buffer more lines if the last row needs them."""
        while self._lines:
            reader = csv.reader(self._texts(), strict=True)
            try:
                for cells in reader:
                    lines = self._pending
                    self._pending = []
                    self._advance(lines[-1])
                    fault = next((line.fault for line in lines if line.fault), None)
                    yield Row(cells, self.offset, lines[0].number, self.lines, fault)
            except (csv.Error, _UnclosedQuote) as error:
                # Reject only the first line of the row, and read its other lines again.
                first, *others = self._pending
                self._pending = []
                self._lines.extendleft(reversed(others))
                self._advance(first)
                reason = UNCLOSED if others else _reason(error)
                yield Row([], first.end, first.number, first.number, first.fault or reason)

    def _texts(self) -> Iterator[str]:
        """Yield lines to csv.reader; `_pending` holds the lines of its current row."""
        while True:
            if not self._lines and self._pending and (part := next(self._parts, None)):
                self._lines.extend(_split_lines(part))
            if not self._lines:
                return
            line = self._lines.popleft()
            self._pending.append(line)
            if len(self._pending) > ROW_LINES_LIMIT:
                raise _UnclosedQuote
            yield line.text


def _reason(error: Exception) -> str:
    """Return the message for the file's owner: csv.Error's own text is for programmers."""
    return next(
        (reason for start, reason in _REASONS.items() if str(error).startswith(start)), "the line is not CSV"
    )


def _parts(blocks: Iterable[bytes], offset: int, line: int) -> Iterator[_Part]:
    rest, cut, number = b"", False, line + 1
    for block in blocks:
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for start in range(0, len(lines), PART_LINES):
            part = lines[start : start + PART_LINES]
            ends = list(accumulate([len(line) + 1 for line in part], initial=offset))[1:]
            offset = ends[-1]
            yield _Part(part, ends, number, cut)
            number += len(part)
            cut = False
        if len(rest) > LINE_BYTES_LIMIT:
            if offset == 0:  # the header is too long: stop reading, the file will be rejected
                yield _Part([b""], [len(rest)], number, cut=True)
                return
            offset, rest, cut = offset + len(rest), b"", True
    if rest or cut:
        yield _Part([rest], [offset + len(rest)], number, cut)


def _parse_simple_part(part: _Part) -> list[Row] | None:
    """Parse a part in which each line is one row, as in nearly all parts, with one csv.reader.

    Return None for any other part. Parsing that line by line takes three times as long.
    """
    if part.cut or max(map(len, part.lines)) > LINE_BYTES_LIMIT:
        return None
    try:
        rows = list(csv.reader([line.decode() for line in part.lines], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    if len(rows) != len(part.lines):
        return None
    # Same as `Row(…)` for each, in a third of the time: it skips the generated __new__.
    numbers = range(part.number, part.number + len(rows))
    return list(map(tuple.__new__, repeat(Row), zip(rows, part.ends, numbers, numbers, repeat(None))))


def _split_lines(part: _Part) -> Iterator[_Line]:
    cut = part.cut
    for number, (line, end) in enumerate(zip(part.lines, part.ends, strict=True), part.number):
        yield _line(line, end, number, cut)
        cut = False


def _line(line: bytes, end: int, number: int, cut: bool) -> _Line:
    """Decode a line for csv.reader. A line that is too long or not UTF-8 gets a fault and no text."""
    if cut or len(line) > LINE_BYTES_LIMIT:
        return _Line("", end, number, TOO_LONG)
    try:
        return _Line(line.rstrip(b"\r").decode() + "\n", end, number)
    except UnicodeDecodeError:
        return _Line("", end, number, NOT_UTF8)
