"""The benchmarks' table: medians, ratios by the round, and its place on the page."""

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import Row

SLOW_FOR_A_WHILE = [
    Row("ours", "ms", [2.0, 20.0, 2.0], "the limit", "≤ 3"),
    Row("the limit", "ms", [1.0, 10.0, 1.0]),
]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    page = tmp_path / "performance.md"
    page.write_text("# Before\n<!-- start -->\nan older table\n<!-- / -->\nafter\n", "utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    return page


def test_a_ratio_is_taken_within_each_round() -> None:
    ours, limit = SLOW_FOR_A_WHILE
    assert ours.ratio(limit) == 2
    assert Row("ours", "ms", [4.0, 6.0, 20.0]).ratio(Row("limit", "ms", [1.0, 1.0, 10.0])) == 4


def test_a_table_takes_the_place_of_the_older_one(page: Path) -> None:
    report.write("start", SLOW_FOR_A_WHILE, command="make it", notes=["A note."])
    text = page.read_text("utf-8")
    assert "| ours | 2 ms | 2 to 11 | 2.00 of the limit | ≤ 3 | 3 |" in text
    assert "an older table" not in text
    assert text.endswith("<!-- / -->\nafter\n")
    report.write("start", SLOW_FOR_A_WHILE, command="make it", notes=["A note."])
    assert page.read_text("utf-8") == text


def test_the_json_keeps_the_other_benchmarks(page: Path) -> None:
    report.RESULTS.write_text('{"other": {}}', "utf-8")
    report.write("start", SLOW_FOR_A_WHILE, command="make it")
    told = json.loads(report.RESULTS.read_text("utf-8"))
    assert set(told) == {"other", "start"}
    assert told["start"]["rows"][0]["ratio"] == 2


def test_a_benchmark_without_a_place_is_refused(page: Path) -> None:
    with pytest.raises(ValueError, match="one place for end"):
        report.write("end", SLOW_FOR_A_WHILE, command="make it")


def test_the_published_page_has_the_tables_of_the_published_results() -> None:
    text = report.PAGE.read_text("utf-8")
    results = json.loads(report.RESULTS.read_text("utf-8"))
    with_tables_of_their_own = {"load", "capacity", "memory"}
    assert set(results) > with_tables_of_their_own
    for name, told in results.items():
        if name not in with_tables_of_their_own:
            assert f"<!-- {name} -->\n{report.markdown(told)}<!-- / -->\n" in text, name
        for note in told["notes"]:
            assert note in text, name
