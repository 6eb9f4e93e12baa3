"""A CSV file's rows, read as a stream from any row's beginning, with the exact offset after each.

Memory stays the same for any file: a line over 64 KiB is skipped as it comes, never gathered.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST_LINE = 64 * 1024
"""Bytes."""
MOST_LINES = 128
"""Lines that one quoted row may span: a hundred arguments, one a line, and some."""
HEADER = ["operation", "arguments"]
BOM = b"\xef\xbb\xbf"

TOO_LONG = f"the line is longer than {LONGEST_LINE // 1024} KiB"
NOT_UTF8 = "the line is not UTF-8"


class NotACsv(Exception):
    """The file is not the CSV that is asked for; the message says why, for its owner."""


class Row(NamedTuple):
    """One row: its cells, or the reason why there are none; `end` is the offset after it."""

    cells: list[str]
    end: int
    fault: str | None = None


class _Line(NamedTuple):
    text: str
    end: int
    fault: str | None = None


class _Unclosed(Exception):
    """A quote stays open for longer than a row may be."""


class CsvRows:
    """The rows of a file from an offset on. Blank lines are skipped.

    Args:
        blocks: the file's bytes from `offset` on, in pieces of any size.
        offset: 0, or the end of an earlier row.
    """

    def __init__(self, blocks: Iterable[bytes], offset: int) -> None:
        self._lines = _lines(blocks, offset)
        self._again: deque[_Line] = deque()
        self._pending: list[_Line] = []
        self.offset = offset
        """The first byte that no row has taken yet; at the end, the file's size."""

    def header(self) -> None:
        """Read the first line.

        Raises:
            NotACsv: it is not `operation,arguments`.
        """
        line = next(self._lines, None)
        if line is None:
            raise NotACsv("The file is empty.")
        if line.fault:
            raise NotACsv(f"The first line can't be read: {line.fault}.")
        try:
            cells = next(csv.reader([line.text]), [])
        except csv.Error:  # a file of the oldest Macs, whose lines end with a carriage return only
            cells = []
        if [cell.strip().lower() for cell in cells] != HEADER:
            raise NotACsv(f"The first line must be '{','.join(HEADER)}', not {line.text.rstrip()[:80]!r}.")
        self.offset = line.end

    def __iter__(self) -> Iterator[Row]:
        reader = csv.reader(self._texts(), strict=True)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _Unclosed) as error:
                # Only the row's first line is to blame: those after it are read again.
                first, *others = self._pending
                self._again.extendleft(reversed(others))
                self._pending.clear()
                reader = csv.reader(self._texts(), strict=True)
                reason = "a quote is not closed" if others or isinstance(error, _Unclosed) else str(error)
                self.offset = first.end
                yield Row([], first.end, first.fault or reason)
                continue
            pending = self._pending
            self.offset = end = pending[-1].end
            fault = pending[0].fault
            if len(pending) > 1:
                fault = next((line.fault for line in pending if line.fault), None)
            pending.clear()
            if fault or (cells and (len(cells) > 1 or cells[0].strip())):
                yield Row(cells, end, fault)

    def _texts(self) -> Iterator[str]:
        """The lines that csv.reader asks for; `_pending` holds those of the row that it is at."""
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._pending.append(line)
            if len(self._pending) > MOST_LINES:
                raise _Unclosed
            yield line.text


def _lines(blocks: Iterable[bytes], offset: int) -> Iterator[_Line]:
    """Lines with their ends; one that is too long or not UTF-8 has no text but a fault."""
    rest, skipping, first = b"", False, offset == 0
    for block in blocks:
        pieces = (rest + block).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            offset += len(piece) + 1
            yield _line(piece, offset, skipping, first)
            skipping = first = False
        if len(rest) > LONGEST_LINE:
            offset, rest, skipping = offset + len(rest), b"", True
    if rest or skipping:
        yield _line(rest, offset + len(rest), skipping, first)


def _line(piece: bytes, end: int, skipping: bool, first: bool) -> _Line:
    if skipping or len(piece) > LONGEST_LINE:
        return _Line("", end, TOO_LONG)
    if first:
        piece = piece.removeprefix(BOM)
    try:
        return _Line(piece.rstrip(b"\r").decode() + "\n", end)
    except UnicodeDecodeError:
        return _Line("", end, NOT_UTF8)
