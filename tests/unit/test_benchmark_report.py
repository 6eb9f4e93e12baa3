"""The benchmarks' table: medians, ratios per round, and its section of the page."""

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


def test_ratio_is_computed_within_each_round() -> None:
    ours, limit = SLOW_FOR_A_WHILE
    assert ours.ratio(limit) == 2
    assert Row("ours", "ms", [4.0, 6.0, 20.0]).ratio(Row("limit", "ms", [1.0, 1.0, 10.0])) == 4


def test_write_replaces_the_older_table(page: Path) -> None:
    report.write("start", SLOW_FOR_A_WHILE, command="make it", notes=["A note."])
    text = page.read_text("utf-8")
    assert "| ours | 2 ms | 2 to 11 | 2.00 of the limit | ≤ 3 | 3 |" in text
    assert "an older table" not in text
    assert text.endswith("<!-- / -->\nafter\n")
    report.write("start", SLOW_FOR_A_WHILE, command="make it", notes=["A note."])
    assert page.read_text("utf-8") == text


def test_write_keeps_other_benchmarks_in_the_json(page: Path) -> None:
    report.RESULTS.write_text('{"other": {}}', "utf-8")
    report.write("start", SLOW_FOR_A_WHILE, command="make it")
    results = json.loads(report.RESULTS.read_text("utf-8"))
    assert set(results) == {"other", "start"}
    assert results["start"]["rows"][0]["ratio"] == 2


def test_write_rejects_a_benchmark_without_a_section(page: Path) -> None:
    with pytest.raises(ValueError, match="one place for end"):
        report.write("end", SLOW_FOR_A_WHILE, command="make it")


def test_published_page_matches_the_published_results() -> None:
    text = report.PAGE.read_text("utf-8")
    results = json.loads(report.RESULTS.read_text("utf-8"))
    with_own_tables = {"load", "capacity", "cost", "memory", "scale"}
    assert set(results) > with_own_tables
    for name, benchmark in results.items():
        if name not in with_own_tables:
            assert f"<!-- {name} -->\n{report.markdown(benchmark)}<!-- / -->\n" in text, name
        for note in benchmark["notes"]:
            assert note in text, name
