"""Split a CSV file into chunks of rows, and parse, validate and compute them.

The only I/O is that of random strings.
"""

import decimal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.operations.catalog import DECIMAL128
from worker.blocks import NO_PRICE, Block, ParsedRows, Source, end_of, first_line
from worker.calls import Calls
from worker.csv_rows import CsvRows, PlainRows, Row, is_blank

CHUNK_ROWS = 8192
"""Rows billed in one transaction, which locks the owner for about 0.1 s."""
CHUNK_BYTES = 4 * 1024 * 1024
"""A chunk ends after this many bytes, even with fewer rows. This limits memory, and the time spent on blank
lines."""


@dataclass(slots=True)
class Chunk:
    """Consecutive rows of a file. `end` and `lines` are the offset and the number of lines after them.

    If it `ends_early`, its last block is a row that was not computed, because the balance ran out before its
    remote call.
    """

    end: int
    lines: int
    blocks: list[Block]
    ends_early: bool = False

    @property
    def rows(self) -> int:
        return sum(map(len, self.blocks))


@dataclass(slots=True)
class RemoteBudget:
    """The credit left for operations that call an external service.

    It limits remote calls for rows that the owner can't pay. It is only an estimate, since other rows spend
    the same balance; billing checks the balance itself.
    """

    balance: Decimal
    costs: Mapping[str, Decimal]

    def spend(self, rows: ParsedRows) -> int:
        """Return how many of the rows the balance covers. Reject remote calls without a price."""
        remote = {call for call in set(rows.calls) if call.operation and call.operation.is_remote()}
        for index, name in sorted((index, call.name or "") for call in remote for index in rows.valid(call)):
            cost = self.costs.get(name)
            if cost is None:
                rows.reject(index, NO_PRICE)
            elif cost > self.balance:
                return index
            else:
                self.balance -= cost
        return len(rows.calls)


def chunks(rows: CsvRows, budget: RemoteBudget | None = None, dry_run: bool = False) -> Iterator[Chunk]:
    """Yield a file's rows in computed chunks. The last one may be empty; it ends at the file's end, unless it
    `ends_early`.

    Args:
        budget: the limit for remote calls; None for no limit.
        dry_run: whether to validate remote calls without making them. Their results are then empty.

    Raises:
        ServiceUnavailable: an operation's external service is unavailable.
    """
    calls = Calls(dry_run)
    for end, lines, sources in _gather(rows):
        chunk = compute_chunk(end, lines, sources, calls, budget)
        yield chunk
        if chunk.ends_early:
            return


def compute_chunk(
    end: int, lines: int, sources: Sequence[Source], calls: Calls, budget: RemoteBudget | None = None
) -> Chunk:
    """Compute rows in order, up to the first one that the budget does not cover."""
    parsed, deferred = list[ParsedRows](), list[Block]()
    for source in sources:
        parsed.append(rows := ParsedRows(source, calls))
        if budget and (reached := budget.spend(rows)) < len(rows.calls):
            end, lines = end_of(source, reached)
            row = Row([], end, first_line(source, reached), lines)
            deferred.append(Block([row], [rows.calls[reached].name], [rows.texts[reached]], [None], {}))
            rows.truncate(reached)
            break
    _prepare(parsed)
    with decimal.localcontext(DECIMAL128):
        blocks = [rows.compute() for rows in parsed]
    return Chunk(end, lines, blocks + deferred, ends_early=bool(deferred))


def _prepare(parsed: Sequence[ParsedRows]) -> None:
    """Let operations fetch in advance what the rows need."""
    for call in {call for rows in parsed for call in set(rows.calls)}:
        if call.operation and call.operation.prepare:
            call.operation.prepare(sum(len(rows.valid(call)) for rows in parsed))


def _gather(rows: CsvRows) -> Iterator[tuple[int, int, list[Source]]]:
    """Yield the rows of each chunk, after the offset and the number of lines at its end."""
    sources, count, start = list[Source](), 0, rows.offset
    for item in rows:
        rest: Row | PlainRows | None = item
        while rest:
            part, rest = _cut(rest, CHUNK_ROWS - count, start + CHUNK_BYTES)
            if isinstance(part, PlainRows):
                sources.append(part)
                count += len(part)
            elif not is_blank(part):
                if not sources or isinstance(sources[-1], PlainRows):
                    sources.append([])
                sources[-1].append(part)  # type: ignore[union-attr]  # a list: see the lines above
                count += 1
            if count == CHUNK_ROWS or part.end - start >= CHUNK_BYTES:
                yield part.end, part.last_line, sources
                sources, count, start = [], 0, part.end
    yield rows.offset, rows.lines, sources


def _cut(item: Row | PlainRows, rows: int, offset: int) -> tuple[Row | PlainRows, PlainRows | None]:
    """Split an item after `rows` rows, or after the first row that ends at the offset or beyond it."""
    if not isinstance(item, PlainRows) or (len(item) <= rows and item.end < offset):
        return item, None
    rows = min(rows, item.rows_to(offset))
    return (item, None) if rows == len(item) else item.split(rows)
