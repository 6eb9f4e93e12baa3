"""Stream the rows of a CSV file, starting at any row, with the exact byte offset and line number of each.

Memory is constant: lines over 64 KiB are skipped while they are read.
"""

import csv
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, repeat
from typing import NamedTuple

LINE_BYTES_LIMIT = 64 * 1024
"""Bytes of one line."""
ROW_LINES_LIMIT = 128
"""Lines that one quoted row may span: enough for 100 arguments, one on each line."""
PART_BYTES = 32 * 1024
"""Bytes of the lines that are parsed together, unless one line is longer."""
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


_PLAIN_LINES = re.compile(
    r"""(?:
        [a-z_]++ , (?: "\[ [-0-9.,\ ]*+ \]" | \[ [-0-9.\ ]*+ \] ) \r?\n
    )*+""",
    re.VERBOSE,
)
"""Lines of a name and a list of numbers without exponents, such as `addition,"[1, 2.5]"`."""


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


class PlainRows:
    """Consecutive rows of one line each, in columns: the first and the second cells.

    Args:
        text: the lines, in ASCII.
        offset: the offset of the first line.
        line: the number of the first line, from 1.
    """

    def __init__(self, names: list[str], cells: list[str], text: str, offset: int, line: int) -> None:
        self.names, self.cells, self.line = names, cells, line
        self._text, self._offset = text, offset

    def __len__(self) -> int:
        return len(self.names)

    @property
    def end(self) -> int:
        """The offset after the last row."""
        return self._offset + len(self._text)

    @property
    def last_line(self) -> int:
        """The number of the last row's line."""
        return self.line + len(self) - 1

    def ends(self) -> list[int]:
        """Return the offset after each row."""
        lines = self._text.split("\n")[:-1]
        return list(accumulate([len(line) + 1 for line in lines], initial=self._offset))[1:]

    def rows_to(self, offset: int) -> int:
        """Return the number of rows up to the first one that ends at this offset or after it."""
        return len(self) if self.end < offset else bisect_left(self.ends(), offset) + 1

    def split(self, rows: int) -> "tuple[PlainRows, PlainRows]":
        """Return the first `rows` rows, at least one, and the others."""
        end = self.ends()[rows - 1]
        text, others = self._text[: end - self._offset], self._text[end - self._offset :]
        return (
            PlainRows(self.names[:rows], self.cells[:rows], text, self._offset, self.line),
            PlainRows(self.names[rows:], self.cells[rows:], others, end, self.line + rows),
        )


class _Part(NamedTuple):
    """Consecutive lines, each with its line feed. Only the file's last line may lack it."""

    data: bytes
    offset: int
    number: int
    """The number of the first line, from 1."""
    cut: bool
    """Whether the first line is the rest of a line whose beginning was skipped as too long."""

    def lines(self) -> list[bytes]:
        """Return the lines without their line feeds."""
        return self.data.removesuffix(b"\n").split(b"\n")

    def ends(self, lines: list[bytes]) -> list[int]:
        """Return the offset after each of these lines."""
        ends = list(accumulate([len(line) + 1 for line in lines], initial=self.offset))[1:]
        ends[-1] = self.offset + len(self.data)
        return ends


class _Line(NamedTuple):
    text: str
    end: int
    number: int
    fault: str | None = None


class _UnclosedQuote(Exception):
    """A quoted cell spans more lines than a row may have."""


class CsvRows:
    """Iterate over the rows of a file from an offset on, blank lines included.

    Consecutive lines of the usual form are yielded together as PlainRows, and others as one Row each.

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
        line, separator, others = part.data.partition(b"\n")
        end = part.offset + len(line + separator)
        first = _line(line.removeprefix(BOM), end, part.number, part.cut)
        if first.fault:
            raise NotACsv(f"The first line cannot be parsed: {first.fault}.")
        try:
            cells = next(csv.reader([first.text]), [])
        except csv.Error:  # classic Mac OS line ends: carriage returns only
            cells = []
        if [cell.strip().lower() for cell in cells] != HEADER:
            raise NotACsv(f"The first line must be '{','.join(HEADER)}', not {first.text.rstrip()[:80]!r}.")
        self._advance(first)
        if others:
            self._parts = chain([_Part(others, end, part.number + 1, cut=False)], self._parts)

    def __iter__(self) -> Iterator[Row | PlainRows]:
        yield from self._parse_line_by_line()
        for part in self._parts:
            if (plain := _parse_plain_part(part)) is not None:
                self.offset, self.lines = plain.end, plain.last_line
                yield plain
            elif (rows := _parse_simple_part(part)) is not None:
                self.offset, self.lines = rows[-1].end, rows[-1].last_line
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
        data = rest + block
        start, end = 0, data.rfind(b"\n") + 1
        while start < end:
            stop = data.rfind(b"\n", start, start + PART_BYTES) + 1 or data.index(b"\n", start) + 1
            part = _Part(data[start:stop], offset, number, cut)
            yield part
            start, offset, number, cut = stop, offset + stop - start, number + part.data.count(b"\n"), False
        rest = data[end:]
        if len(rest) > LINE_BYTES_LIMIT:
            if offset == 0:  # the header is too long: stop reading, the file will be rejected
                yield _Part(b"", len(rest), number, cut=True)
                return
            offset, rest, cut = offset + len(rest), b"", True
    if rest or cut:
        yield _Part(rest, offset, number, cut)


def _parse_plain_part(part: _Part) -> PlainRows | None:
    """Parse a part of plain lines, in a third of csv.reader's time. Return None for any other part."""
    if part.cut or not part.data.isascii():
        return None
    text = part.data.decode("ascii")
    if not _PLAIN_LINES.fullmatch(text) or len(text) > LINE_BYTES_LIMIT:
        return None
    # Each line has one bracket that opens, after its only comma outside the list.
    cells = text.replace("\r", "").replace('"', "").replace(",[", "\n[").split("\n")
    return PlainRows(cells[:-1:2], cells[1::2], text, part.offset, part.number)


def _parse_simple_part(part: _Part) -> list[Row] | None:
    """Parse a part in which each line is one row with one csv.reader.

    Return None for any other part. Parsing that line by line takes three times as long.
    """
    lines = part.lines()
    if part.cut or max(map(len, lines)) > LINE_BYTES_LIMIT:
        return None
    try:
        rows = list(csv.reader([line.decode() for line in lines], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    if len(rows) != len(lines):
        return None
    # Same as `Row(…)` for each, in a third of the time: it skips the generated __new__.
    numbers = range(part.number, part.number + len(rows))
    return list(map(tuple.__new__, repeat(Row), zip(rows, part.ends(lines), numbers, numbers, repeat(None))))


def _split_lines(part: _Part) -> Iterator[_Line]:
    cut, lines = part.cut, part.lines()
    for number, (line, end) in enumerate(zip(lines, part.ends(lines), strict=True), part.number):
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
