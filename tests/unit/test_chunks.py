"""Chunks: computing rows together gives the same result as computing them one by one."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.operations import random_string
from shared.operations.catalog import CATALOG
from worker import chunks
from worker.chunks import (
    Chunk,
    ComputedRow,
    DeferredRow,
    ProcessedRow,
    RejectedRow,
    RemoteBudget,
    compute_all,
)
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


def row(*cells: str, end: int = 1, fault: str | None = None) -> Row:
    return Row(list(cells), end, line=end, last_line=end, fault=fault)


def only(*cells: str) -> ProcessedRow:
    (found,) = compute_all([row(*cells)])
    return found


def reason(*cells: str) -> str:
    found = only(*cells)
    assert isinstance(found, RejectedRow)
    return found.reason


@given(st.lists(st.tuples(name.filter(lambda it: it != "random_string"), cell), max_size=200))
@example([("addition", text) for text in ADVERSARIAL])
def test_rows_computed_together_match_rows_computed_alone(table: list[tuple[str, str]]) -> None:
    rows = [row(*cells, end=end) for end, cells in enumerate(table)]
    assert compute_all(rows) == [found for one in rows for found in compute_all([one])]


@given(st.lists(st.sampled_from(ADVERSARIAL), min_size=1, max_size=chunks.CELLS_PER_PARSE))
def test_cells_parsed_together_match_cells_parsed_alone(texts: list[str]) -> None:
    texts = [text.strip() or "[]" for text in texts]
    assert chunks._parse(texts) == [chunks._parse([text])[0] for text in texts]


@given(st.lists(st.text('[]",{}: 1ae\\', min_size=1, max_size=8), min_size=2, max_size=6))
def test_mixed_brackets_and_quotes_never_shift_parsed_cells(texts: list[str]) -> None:
    assert chunks._parse(texts) == [chunks._parse_one(text) for text in texts]


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
    (found,) = compute_all([row(fault="a quote is not closed", end=7)])
    assert found == RejectedRow("", "", "a quote is not closed", 7, 7, 7)


def test_rejected_row_truncates_its_cells_and_removes_nul() -> None:
    found = only("x\0" * 5000, "y" * 60_000)
    assert isinstance(found, RejectedRow)
    assert len(found.operation) == len(found.arguments) == chunks.CELL_TEXT_LIMIT
    assert "\0" not in found.operation + found.reason


def test_chunk_fetches_all_its_random_strings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = list[int]()
    counted = CATALOG["random_string"]
    monkeypatch.setitem(
        CATALOG,
        "random_string",
        replace(counted, prepare=fetched.append),
    )
    compute_all([row("random_string")] * 50 + [row("addition", "[1, 2]")] * 50)
    assert fetched == [50]


def test_chunk_fetches_only_the_random_strings_that_the_owner_can_pay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched = list[int]()
    remote = replace(CATALOG["random_string"], prepare=fetched.append, is_remote=lambda: True)
    monkeypatch.setitem(CATALOG, "random_string", remote)
    credit = RemoteBudget(Decimal(14), {"random_string": Decimal(5)})
    some = [row("random_string", end=1), row("addition", "[1, 2]", end=2), row("addition", "[1]", end=3)]
    kinds = [type(one) for one in compute_all(some, credit)]
    assert kinds == [ComputedRow, ComputedRow, RejectedRow]
    found = compute_all([row("random_string", end=4), row("random_string", end=5), *some], credit)
    assert found[1:] == [DeferredRow("random_string", "[]", "", 5, 5, 5)]
    assert fetched == [1, 1]


def test_remote_operation_without_a_price_is_rejected_without_a_remote_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched = list[int]()
    remote = replace(CATALOG["random_string"], prepare=fetched.append, is_remote=lambda: True)
    monkeypatch.setitem(CATALOG, "random_string", remote)
    (found,) = compute_all([row("random_string")], RemoteBudget(Decimal(99), {}))
    assert found == RejectedRow("random_string", "", chunks.NO_PRICE, 1, 1, 1)
    assert fetched == [0]


@pytest.mark.parametrize(("rows", "sizes"), [(0, [0]), (1, [1]), (3, [3, 0]), (7, [3, 3, 1])])
def test_chunks_cover_the_file_and_the_last_one_ends_at_its_end(
    rows: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 3)
    content = b'addition,"[1, 2]"\n' * rows + b"\n\n"
    cut = list(chunks.chunks(CsvRows([content], 100, 5)))
    assert [len(chunk.rows) for chunk in cut] == sizes
    assert (cut[-1].end, cut[-1].lines) == (100 + len(content), 5 + rows + 2)
    assert ends(cut) == [100 + 18 * (n + 1) for n in range(rows)]


def ends(cut: list[Chunk]) -> list[Any]:
    return [one.end for chunk in cut for one in chunk.rows]


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
