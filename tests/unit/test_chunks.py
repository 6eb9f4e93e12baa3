"""Chunks: computing rows together gives the same result as computing them one by one."""

import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.operations import catalog, random_string
from shared.operations.catalog import CATALOG
from worker import blocks, chunks, csv_rows
from worker.argument_cells import parse_cell, parse_cells
from worker.blocks import NO_PRICE, RejectedRow, end_of
from worker.calls import Calls
from worker.chunks import Chunk, RemoteBudget, compute_chunk
from worker.csv_rows import CsvRows, Row

ADVERSARIAL = [
    "[1],[2]",
    '["a, ]',
    '[", 3]',
    '["],["]',
    "[1]]",
    "[[1]",
    "[[1, 2]]",
    "[1, [2]]",
    "[]",
    "[1, 2]",
    "[1, 2",
    "1, 2]",
    "]",
    "[",
    "[],[],[]",
    "[NaN, 1]",
    "[Infinity, 1]",
    "[-Infinity, 1]",
    "[1e999999999999999999999, 1]",
    "[1e400, 1]",
    "[0e9999999999999, 1]",
    "[0e-9999999999999, 1]",
    "[1e-400, 1]",
    "[true, 1]",
    "[null]",
    '["1", "2"]',
    '[{"a": 1}, 2]',
    '{"a": [1, 2]}',
    '[{"a": "]',
    '["}, 3]',
    "[1, 2] ",
    "[1,\t2]",
    "[1,\n2]",
    "[1\r,2]",
    "[1,\v2]",
    "[1\u00a0,2]",
    "[1, 2]\u00a0",
    "[+1, 2]",
    "[01, 2]",
    "[1., 2]",
    "[.5, 2]",
    "[1_0, 2]",
    "[٣, 2]",
    "[1,,2]",
    "[1, 2,]",
    "/**/[1, 2]",
    "[1, 2]//",
    "\\[1, 2]",
    "[\\u0031, 2]",
    "[0.1, 0.2]",
    "[-0, 0]",
    "[" + "9" * 60 + ", 1]",
    "[" + "9" * 400 + ", 1]",
    "[" + "1, " * 120 + "1]",
    "[" * 5000 + "]" * 5000,
    "",
    "   ",
    "null",
    "3",
    '"[1, 2]"',
]
PRIVATE = [0, -1, "12345678901234567890.5", "1e-7", "2E+3"]

cell = st.sampled_from(ADVERSARIAL) | st.lists(st.sampled_from(PRIVATE), max_size=4).map(
    lambda numbers: "[" + ", ".join(str(number) for number in numbers) + "]"
)
name = st.sampled_from([*CATALOG, "subtraction", "no such", "", "ADDITION", "a\0b"])


class ComputedRow(NamedTuple):
    operation: str
    arguments: str
    result: str | None


def row(*cells: str, end: int = 1, fault: str | None = None) -> Row:
    return Row(list(cells), end, line=end, last_line=end, fault=fault)


def rows_of(chunk: Chunk) -> list[ComputedRow | RejectedRow]:
    return [
        block.rejected.get(index) or ComputedRow(operation or "", arguments, result)
        for block in chunk.blocks
        for index, (operation, arguments, result) in enumerate(
            zip(block.operations, block.arguments, block.results, strict=True)
        )
    ]


def compute(rows: list[Row], budget: RemoteBudget | None = None) -> Chunk:
    return compute_chunk(0, 0, [rows], Calls(dry_run=False), budget)


def only(*cells: str) -> ComputedRow | RejectedRow:
    (found,) = rows_of(compute([row(*cells)]))
    return found


def reason(*cells: str) -> str:
    found = only(*cells)
    assert isinstance(found, RejectedRow)
    return found.reason


def result_of_decimals(operation: str, text: str) -> str | None:
    """Return the result for the cell as a charge computes it, or None if the call is invalid."""
    numbers = parse_cell(text)
    try:
        return (
            None
            if isinstance(numbers, str)
            else catalog.as_json(catalog.compute(catalog.find(operation), numbers))
        )
    except InvalidInput:
        return None


def read(content: bytes) -> list[tuple[object, int, int]]:
    """Return the computed rows of a file without its header, each with the offset and the lines after it."""
    return [
        (found, *end_of(block.source, index))
        for chunk in chunks.chunks(CsvRows([content], 100, 5))
        for block in chunk.blocks
        for index, found in enumerate(rows_of(Chunk(0, 0, [block])))
    ]


@given(st.lists(st.tuples(name.filter(lambda it: it != "random_string"), cell), max_size=200))
@example([("addition", text) for text in ADVERSARIAL])
def test_rows_computed_together_match_rows_computed_alone(table: list[tuple[str, str]]) -> None:
    rows = [row(*cells, end=end) for end, cells in enumerate(table)]
    assert rows_of(compute(rows)) == [found for one in rows for found in rows_of(compute([one]))]


integer = st.integers(-(10**16), 10**16) | st.integers(-1000, 1000)
decimal = st.decimals(-(10**6), 10**6, places=6, allow_nan=False).map("{:f}".format)
plain_cell = st.lists(integer | decimal, max_size=3).map(lambda numbers: f"[{', '.join(map(str, numbers))}]")
arithmetic = st.sampled_from([name for name in CATALOG if name != "random_string"])
plain_lines = st.lists(st.tuples(arithmetic, plain_cell).map(lambda it: f'{it[0]},"{it[1]}"\n'), max_size=50)


@given(arithmetic, plain_cell)
@example("division", "[1, 100000]")
@example("division", "[1, 16]")
@example("square_root", "[999999999999999]")
@example("multiplication", "[94906267, 94906267]")
@example("division", "[-0, 3]")
def test_result_of_a_plain_row_is_that_of_a_charge(operation: str, text: str) -> None:
    found = only(operation, text)
    assert (found.result if isinstance(found, ComputedRow) else None) == result_of_decimals(operation, text)


@given(plain_lines)
def test_plain_lines_have_the_same_rows_as_lines_that_the_csv_module_reads(lines: list[str]) -> None:
    content = "".join(lines).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "_parse_plain_part", lambda part: None)
        expected = read(content)
    assert read(content) == expected


@given(st.lists(st.sampled_from(ADVERSARIAL) | plain_cell, min_size=1, max_size=100))
def test_cells_parsed_together_match_cells_parsed_alone(texts: list[str]) -> None:
    texts = [text.strip() or "[]" for text in texts]
    assert parse_cells(texts) == [parse_cells([text])[0] for text in texts]


@given(st.lists(st.text('[]",{}: 1ae\\\n', min_size=1, max_size=8), min_size=2, max_size=6))
def test_mixed_brackets_and_quotes_never_shift_parsed_cells(texts: list[str]) -> None:
    for text, numbers in zip(texts, parse_cells(texts), strict=True):
        assert numbers is None or numbers == parse_cell(text)


@given(cell)
def test_recorded_arguments_are_one_line_of_json_that_postgres_accepts(text: str) -> None:
    found = only("addition", text)
    if isinstance(found, ComputedRow):
        assert found.arguments.isprintable()
        numbers = json.loads(found.arguments, parse_float=Decimal, parse_int=Decimal)
        assert all(len(number.as_tuple().digits) <= 34 for number in numbers)
        assert len(found.arguments) < 42 * (len(numbers) + 1)
        assert all(abs(number.adjusted()) < 400 for number in numbers)


@pytest.mark.parametrize(
    ("operation", "arguments", "result"),
    [
        ("addition", "[0.1, 0.2]", "0.3"),
        ("addition", "[1,\n\t2]", "3"),
        (" addition ", "[1, 2]", "3"),
        ("subtraction", "[5, 3]", "2"),
        ("substraction", "[5, 3]", "2"),
        ("multiplication", "[2, 3.5]", "7"),
        ("division", "[1, 4]", "0.25"),
        ("square_root", "[2]", "1.4142135623730951"),
        ("addition", "[1e300, 1e300]", "2e+300"),
        ("addition", "[0e9999999999999, 1]", "1"),
    ],
)
def test_valid_row_has_its_result_as_json(operation: str, arguments: str, result: str) -> None:
    found = only(operation, arguments)
    assert isinstance(found, ComputedRow)
    assert found.result == result


@pytest.mark.parametrize(
    "cells",
    [
        ("random_string",),
        ("random_string", ""),
        ("random_string", " [] "),
        ("random_string", "[1, 1]"),
        ("random_string", "x"),
    ],
)
def test_random_string_ignores_its_arguments(cells: tuple[str, ...]) -> None:
    found = only(*cells)
    assert isinstance(found, ComputedRow)
    assert (found.arguments, len(json.loads(found.result))) == ("[]", random_string.LENGTH)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("addition", "[1, 2]", "x"), "expected 2 columns, operation and arguments, but got 3"),
        (("cube", "[1]"), "there is no operation 'cube'"),
        (("Addition", "[1, 2]"), "there is no operation 'Addition'"),
        (("", "[1, 2]"), "there is no operation ''"),
        (("addition", "[1, 2"), "the arguments are not a JSON list"),
        (("addition", "{}"), "the arguments are not a JSON list"),
        (("addition", "[NaN, 1]"), "the arguments are not a JSON list"),
        (("addition", "[1e999999999999999999999, 1]"), "the arguments are not a JSON list"),
        (("addition", "[1, true]"), "argument 2 is not a number"),
        (("addition", "[[1], 2]"), "argument 1 is not a number"),
        (("addition", "[1]"), "takes 2 to 100 argument(s), but got 1"),
        (("addition",), "takes 2 to 100 argument(s), but got 0"),
        (("division", "[1, 0]"), "Division by zero."),
        (("square_root", "[-1]"), "A negative number has no real square root."),
        (("addition", "[1e308, 1e308]"), "The result is out of a double's range."),
        (("multiplication", "[1e400, 1]"), "Send a finite number within the range of a double."),
    ],
)
def test_invalid_row_is_rejected_with_its_reason(cells: tuple[str, ...], expected: str) -> None:
    assert expected in reason(*cells)


def test_unreadable_row_keeps_the_reason_of_the_csv_reader() -> None:
    found = rows_of(compute([row(fault="a quote is not closed", end=7)]))
    assert found == [RejectedRow("", "", "a quote is not closed", 7)]


def test_rejected_row_truncates_its_cells_and_removes_nul() -> None:
    found = only("x\0" * 5000, "y" * 60_000)
    assert isinstance(found, RejectedRow)
    assert len(found.operation) == len(found.arguments) == blocks.CELL_TEXT_LIMIT
    assert "\0" not in found.operation + found.reason


def test_chunk_fetches_all_its_random_strings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = list[int]()
    monkeypatch.setitem(CATALOG, "random_string", replace(CATALOG["random_string"], prepare=fetched.append))
    plain = b"random_string,[]\n" * 50 + b'addition,"[1, 2]"\n' * 50
    list(chunks.chunks(CsvRows([plain + b"random_string\n" * 10 + plain], 100)))
    assert fetched == [110]


def remote_string(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make random strings remote. Return a list to which each fetch appends its number of strings."""
    fetched = list[int]()
    remote = replace(CATALOG["random_string"], prepare=fetched.append, is_remote=lambda: True)
    monkeypatch.setitem(CATALOG, "random_string", remote)
    return fetched


def test_chunk_fetches_only_the_random_strings_that_the_owner_can_pay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched = remote_string(monkeypatch)
    credit = RemoteBudget(Decimal(14), {"random_string": Decimal(5)})
    some = [row("random_string", end=1), row("addition", "[1, 2]", end=2), row("addition", "[1]", end=3)]
    kinds = [type(one) for one in rows_of(compute(some, credit))]
    assert kinds == [ComputedRow, ComputedRow, RejectedRow]
    chunk = compute([row("random_string", end=4), row("random_string", end=5), *some], credit)
    assert (chunk.ends_early, chunk.end, chunk.lines) == (True, 5, 5)
    assert rows_of(chunk)[1:] == [ComputedRow("random_string", "[]", None)]
    assert fetched == [1, 1]


def test_chunk_of_plain_lines_ends_at_the_random_string_that_the_owner_cannot_pay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched = remote_string(monkeypatch)
    credit = RemoteBudget(Decimal(14), {"random_string": Decimal(5)})
    content = b'random_string,[]\naddition,"[1, 2]"\n' * 3
    (chunk,) = chunks.chunks(CsvRows([content], 100, 5), credit)
    assert (chunk.ends_early, chunk.end, chunk.lines) == (True, 100 + 2 * (17 + 18) + 17, 5 + 5)
    assert [type(one) for one in rows_of(chunk)] == [ComputedRow] * 5
    assert rows_of(chunk)[-1] == ComputedRow("random_string", "[]", None)
    assert fetched == [2]


def test_remote_operation_without_a_price_is_rejected_without_a_remote_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched = remote_string(monkeypatch)
    chunk = compute([row("random_string")], RemoteBudget(Decimal(99), {}))
    assert rows_of(chunk) == [RejectedRow("random_string", "", NO_PRICE, 1)]
    assert fetched == []


def test_dry_run_makes_no_remote_call(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = remote_string(monkeypatch)
    (chunk,) = chunks.chunks(CsvRows([b"random_string,[]\n"], 100), dry_run=True)
    assert rows_of(chunk) == [ComputedRow("random_string", "[]", '""')]
    assert fetched == []


@pytest.mark.parametrize(("rows", "sizes"), [(0, [0]), (1, [1]), (3, [3, 0]), (7, [3, 3, 1])])
def test_chunks_cover_the_file_and_the_last_one_ends_at_its_end(
    rows: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 3)
    content = b'addition,"[1, 2]"\n' * rows + b"\n\n"
    cut = list(chunks.chunks(CsvRows([content], 100, 5)))
    assert [chunk.rows for chunk in cut] == sizes
    assert (cut[-1].end, cut[-1].lines) == (100 + len(content), 5 + rows + 2)
    assert ends(cut) == [100 + 18 * (n + 1) for n in range(rows)]


def ends(cut: Iterable[Chunk]) -> list[int]:
    return [
        end_of(block.source, index)[0]
        for chunk in cut
        for block in chunk.blocks
        for index in range(len(block.operations))
    ]


@pytest.mark.parametrize("line", [b"\n", b"   \n", b'addition,"[1, 2]"\n'])
def test_chunk_ends_at_the_byte_limit_so_that_blank_lines_are_checkpointed_too(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 100)
    content = line * (1000 // len(line))
    ends = [chunk.end for chunk in chunks.chunks(CsvRows([content], 7))]
    assert len(ends) >= 8
    assert ends == sorted(ends)
    assert ends[-1] == 7 + len(content)
