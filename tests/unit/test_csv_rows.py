"""Streaming CSV rows: the same rows and exact offsets for any block size and any restart."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.csv_rows import (
    _REASONS,
    LINE_BYTES_LIMIT,
    NOT_UTF8,
    ROW_LINES_LIMIT,
    TOO_LONG,
    CsvRows,
    NotACsv,
    Row,
    is_blank,
)

HEADER = b"operation,arguments\n"


def read(content: bytes, *, offset: int = 0, lines: int = 0, block: int = 1 << 20) -> list[Row]:
    """Return the rows from an offset on, after `lines` lines, fed in blocks of `block` bytes."""
    blocks = (content[at : at + block] for at in range(offset, len(content), block))
    rows = CsvRows(blocks, offset, lines)
    if offset == 0:
        rows.header()
    found = [row for row in rows if not is_blank(row)]
    assert (rows.offset, rows.lines) == (len(content), lines_to(content, len(content)))
    return found


def lines_to(content: bytes, offset: int) -> int:
    """Count the lines that begin before an offset."""
    return content[:offset].count(b"\n") + (content[offset - 1 : offset] not in (b"", b"\n"))


def cells(content: bytes) -> list[list[str]]:
    rows = read(HEADER + content)
    assert [row.fault for row in rows] == [None] * len(rows)
    return [row.cells for row in rows]


def faults(content: bytes) -> list[str | None]:
    return [row.fault for row in read(HEADER + content)]


def rejection(content: bytes) -> str:
    with pytest.raises(NotACsv) as caught:
        CsvRows([content], 0).header()
    return str(caught.value)


# Files of difficult pieces: open and closed quotes, every line ending, and invalid UTF-8.
pieces = st.sampled_from(
    [
        b"a",
        b"\xc3\xbc",
        b"\xff",
        b'"',
        b'""',
        b",",
        b"\n",
        b"\r\n",
        b"\r",
        b"\0",
        b" ",
        b"[1, 2]",
        b"\xef\xbb\xbf",
    ]
)
bodies = st.lists(pieces, max_size=60).map(b"".join)
well_formed = st.lists(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=9), min_size=1, max_size=3
    )
)


@given(bodies, st.integers(1, 20))
def test_rows_do_not_depend_on_the_block_size(body: bytes, block: int) -> None:
    assert read(HEADER + body, block=block) == read(HEADER + body)


@given(bodies, st.data())
@example(b'"a\nb\nc', None)
def test_restart_at_the_end_of_any_row_continues_with_the_next_row(
    body: bytes, data: st.DataObject | None
) -> None:
    content = HEADER + body
    rows = read(content)
    block = data.draw(st.integers(1, 20)) if data else 1
    for number, row in enumerate(rows):
        assert read(content, offset=row.end, lines=row.last_line, block=block) == rows[number + 1 :]


@given(bodies)
def test_offsets_increase_and_each_is_the_end_of_a_line(body: bytes) -> None:
    content = HEADER + body
    ends = [row.end for row in read(content)]
    assert ends == sorted(set(ends))
    assert all(end == len(content) or content[end - 1 : end] == b"\n" for end in ends)


@given(bodies)
@example(b'a,1\n\n"b\n\nc",2\n' + b"x" * (LINE_BYTES_LIMIT + 1) + b"\nd,3")
@example(b'""\na')
def test_each_row_has_the_numbers_of_its_first_and_last_line(body: bytes) -> None:
    content = HEADER + body
    before = 1
    for row in read(content):
        assert row.last_line == lines_to(content, row.end)
        assert before < row.line <= row.last_line
        text = content.splitlines(keepends=True) if b"\r" not in content else None
        if row.line > before + 1 and text:  # blank lines were skipped
            skipped = csv.reader(io.StringIO(b"".join(text[before : row.line - 1]).decode(), newline=""))
            assert not any(cell.strip() for cells in skipped for cell in cells)
        before = row.last_line


@given(well_formed, st.sampled_from(["\n", "\r\n"]))
def test_reader_reads_what_the_csv_module_writes(table: list[list[str]], ending: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=ending).writerows(table)
    # The reader keeps line feeds, and skips blank lines, which a single blank cell produces.
    expected = [row for row in table if len(row) > 1 or row[0].strip()]
    content = text.getvalue().encode()
    if content.count(b"\n") < ROW_LINES_LIMIT:
        assert cells(content) == expected


def test_header_allows_bom_spaces_capitals_quotes_and_crlf() -> None:
    for header in (
        b"\xef\xbb\xbfoperation,arguments\n",
        b'Operation ,"ARGUMENTS"\r\n',
        b"operation,arguments",
    ):
        rows = CsvRows([header], 0)
        rows.header()
        assert rows.offset == len(header)
        assert list(rows) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty."),
        (b"\n", "must be 'operation,arguments', not ''"),
        (b"addition,[1]\n", "must be 'operation,arguments', not 'addition,[1]'"),
        (b"operation;arguments\n", "must be"),
        (b"operation,arguments,more\n", "must be"),
        (b"operation,arguments\raddition,[1]\r", "must be"),
        (b'"operation,arguments\n', "must be"),
        ("operation,arguments\n".encode("utf-16"), "is not UTF-8"),
        ("operation,arguments\n".encode("utf-16-le"), "must be"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xff\xfe", "is not UTF-8"),
        (b"\x1f\x8b\x08\x00", "is not UTF-8"),
        (b"x" * (LINE_BYTES_LIMIT + 1), "longer than 64 KiB"),
    ],
)
def test_file_without_the_header_is_rejected_with_a_printable_reason(content: bytes, reason: str) -> None:
    assert reason in rejection(content)
    assert rejection(content).isprintable()


def test_reader_skips_blank_lines_and_a_bom_only_at_the_start_of_the_file() -> None:
    assert cells(b"\n  \n\r\na,b\n\n\t\nc,d") == [["a", "b"], ["c", "d"]]
    assert cells(b"\xef\xbb\xbfa,b\n") == [["\ufeffa", "b"]]


def test_quoted_cell_may_contain_commas_quotes_and_line_endings() -> None:
    assert cells(b'addition,"[1,\n 2]"\r\na,"say ""hi"""\n') == [
        ["addition", "[1,\n 2]"],
        ["a", 'say "hi"'],
    ]


def test_unclosed_quote_rejects_only_its_own_row() -> None:
    rows = read(HEADER + b'a,1\nb,"2\nc,3\nd,4\n')
    assert [(row.cells, row.fault) for row in rows] == [
        (["a", "1"], None),
        ([], "a quote is not closed"),
        (["c", "3"], None),
        (["d", "4"], None),
    ]


def test_unclosed_quote_is_rejected_after_the_line_limit_of_a_row() -> None:
    lines = b"".join(b"x,%d\n" % n for n in range(1000))
    rows = read(HEADER + b'a,"\n' + lines)
    assert rows[0].fault == "a quote is not closed"
    assert [row.cells[1] for row in rows[1:]] == [str(n) for n in range(1000)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'a,"1"2', "text follows a closing quote"),
        (b"a,1\rb,2", "a carriage return is inside the line"),
        (b'a,"' + b"x\n" * 5, "a quote is not closed"),
        (b'a,"' + b"\n".join([b"x" * (LINE_BYTES_LIMIT - 10)] * 3) + b'"', "a quote is not closed"),
    ],
    ids=["text after a quote", "carriage return", "open quote", "long cell"],
)
def test_line_that_is_not_csv_has_a_readable_reason(line: bytes, reason: str) -> None:
    assert faults(line + b"\nb,3\n")[0] == reason


def test_quote_open_at_the_end_of_the_file_has_a_readable_reason() -> None:
    assert faults(b'a,"1') == ["a quote is not closed"]


@given(bodies)
def test_reasons_never_come_from_the_csv_module(body: bytes) -> None:
    assert set(faults(body)) <= {None, NOT_UTF8, TOO_LONG, "the line is not CSV", *_REASONS.values()}


def test_invalid_utf8_rejects_only_its_own_row() -> None:
    assert faults(b"a,\xff\nb,\xc3\xbc\nc,\xc3\n") == [NOT_UTF8, None, NOT_UTF8]
    assert faults(b'a,"\n\xff\n"\nb,1\n') == [NOT_UTF8, None]


def test_nul_is_an_ordinary_character() -> None:
    assert cells(b"a,\0\n") == [["a", "\0"]]


def test_line_of_64_kib_is_read_and_a_longer_one_is_skipped() -> None:
    longest = b"a," + b"x" * (LINE_BYTES_LIMIT - 2)
    content = HEADER + longest + b"\n" + longest + b"x\nb,2\n"
    rows = read(content, block=1000)
    assert [row.fault for row in rows] == [None, TOO_LONG, None]
    assert rows == read(content)
    assert len(rows[0].cells[1]) == LINE_BYTES_LIMIT - 2


def test_quoted_row_beyond_the_csv_field_limit_is_rejected_and_the_next_is_read() -> None:
    line = b"x" * (LINE_BYTES_LIMIT - 10)
    rows = read(HEADER + b'a,"' + b"\n".join([line] * 3) + b'"\nb,2\n')
    assert rows[0].fault
    assert rows[-1].cells == ["b", "2"]


def test_header_check_stops_reading_after_the_line_limit() -> None:
    block, read_blocks = b"x" * (1 << 20), 0

    def blocks() -> Iterator[bytes]:
        nonlocal read_blocks
        for _ in range(1000):
            read_blocks += 1
            yield block

    with pytest.raises(NotACsv, match="longer than 64 KiB"):
        CsvRows(blocks(), 0).header()
    assert read_blocks == 1


@pytest.mark.parametrize("ending", [b"", b"\n", b"\na,b\n"])
def test_endless_line_uses_bounded_memory(ending: bytes) -> None:
    size, block = 200, b"x" * (1 << 20)

    def blocks() -> Iterator[bytes]:
        yield HEADER
        for _ in range(size):
            yield block
        yield ending

    rows = CsvRows(blocks(), 0)
    rows.header()
    tracemalloc.start()
    try:
        found = list(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found[0].fault == TOO_LONG
    assert found[0].end == len(HEADER) + size * len(block) + (1 if ending else 0)
    assert rows.offset == len(HEADER) + size * len(block) + len(ending)
    assert peak < 8 * len(block)
