"""The arithmetic of the tables on capacity and cost, with figures that are easy to check by hand."""

import json
import math
from pathlib import Path

import pytest

from benchmarks import capacity, cost, measured, money, report

MEDIANS = {
    "calls": {
        "charge: Postgres's processor": 1.0,  # ms
        "page: Postgres's processor": 3.0,
        "both: gateway's processor": 512 / 1769 * 5,  # 5 ms of a function
        "charge: write-ahead log": 2_000.0,
        "charge: the database's growth": 1_000.0,
    },
    "charge": {"pgbench, 1,000 accounts, 1 at once": 200.0, "pgbench, one account, 8 at once": 700.0},
    "batch": {
        "the worker's processor time": 1024 / 1769 * 86.3,  # 86.3 µs of a worker
        "Postgres' processor time": 100.0,  # µs a row
        "write-ahead log": 864.0,
        "a record on disk, its indexes included": 500.0,
    },
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    results_json = {
        name: {"command": name, "rows": [{"what": what, "median": median} for what, median in rows.items()]}
        for name, rows in MEDIANS.items()
    }
    results, page = tmp_path / "results.json", tmp_path / "performance.md"
    results.write_text(json.dumps(results_json), "utf-8")
    page.write_text("<!-- capacity -->\n<!-- / -->\n<!-- cost -->\n<!-- / -->\n", "utf-8")
    monkeypatch.setattr(measured, "RESULTS", results)
    monkeypatch.setattr(report, "RESULTS", results)
    monkeypatch.setattr(report, "PAGE", page)
    return results


def test_capacity_table_shows_the_resources_of_each_load(results: Path) -> None:
    capacity.main()
    lines = report.PAGE.read_text("utf-8").splitlines()
    # 500 charges and 500 pages: 2 s of Postgres each second; 1 MB of log; 5 + 5 ms of a function a call.
    assert "| 1,000 calls/s | 2 | db.r7g.xlarge | 500 | 1 | 43.2 | 10 |  | 10 |  |" in lines
    assert "| 10,000 calls/s | 20 | db.r7g.12xlarge | 5,000 | 10 | 432 | 100 |  | 100 |  |" in lines
    # A commit of 8,192 rows; 10 MB of log; a thousand files, and a turn of the one worker each minute.
    batch = next(line for line in lines if line.startswith("| 1,000,000,000 rows a day, 11,574/s |"))
    assert "| 1.16 | db.r7g.large | 1.41 | 10 | 500 |  | 0.999 | 1 | 0.0282 |" in batch
    assert any("700 charges a second" in line and "`charge`" in line for line in lines)
    assert any("limit is 19,200 of" in line and "full in 141 days" in line for line in lines)


def test_load_beyond_the_largest_server_has_no_instance_class(results: Path) -> None:
    results_json = json.loads(results.read_text("utf-8"))
    results_json["calls"]["rows"][0]["median"] = 100.0
    results.write_text(json.dumps(results_json), "utf-8")
    capacity.main()
    assert "| 10,000 calls/s | 515 | none |" in report.PAGE.read_text("utf-8")


def test_capacity_exits_without_a_measurement(results: Path) -> None:
    results.write_text("{}", "utf-8")
    with pytest.raises(SystemExit, match=r"python -m benchmarks\.load"):
        capacity.main()


def test_money_computes_the_cost_of_a_million_calls() -> None:
    computing = 512 / 1769 * 10
    assert money.billed(computing, waiting=5) == pytest.approx(15)
    assert money.dollars(1000) == "$6.67"  # 500,000 GB-seconds
    assert "15 ms of a function" in money.of_calls("calls", computing, 5)


def test_million_calls_cost_their_requests_and_their_time(results: Path) -> None:
    # 10 ms of a function with 0.5 GB: 5,000 GB-seconds a million calls.
    expected = cost.HTTP_API + cost.LAMBDA_REQUEST + 5000 * money.GB_SECOND
    assert cost.million_calls(measured.Measured()) == pytest.approx(expected)


def test_million_rows_cost_their_time(results: Path) -> None:
    assert cost.million_rows(measured.Measured()) == pytest.approx(86.3 * money.GB_SECOND)


def test_containers_cost_the_same_without_calls_and_grow_in_whole_containers() -> None:
    hour = cost.container_hour()
    idle = cost.HOURS * (2 * hour + cost.BALANCER_HOUR)
    assert cost.containers(0, 100) == pytest.approx(idle)
    # 100 calls a second on average, 300 at the peak; a container serves 100 * 0.5 * 0.6 = 30.
    busy = cost.HOURS * (10 * hour + cost.BALANCER_HOUR + 4 * cost.BALANCER_UNIT_HOUR)
    assert cost.containers(100 * money.MONTH_SECONDS, 100) == pytest.approx(busy)


def test_crossing_is_where_the_first_way_becomes_dearer_for_good() -> None:
    assert cost.crossing(lambda calls: calls, lambda calls: 1e6) == pytest.approx(1e6, rel=0.03)
    assert cost.crossing(lambda calls: 1, lambda calls: 2) == math.inf


def test_cost_table_shows_the_costs_of_each_number_of_calls(results: Path) -> None:
    cost.write_table(measured.Measured())
    lines = report.PAGE.read_text("utf-8").splitlines()
    assert any(line.startswith("| 1,000,000 | $1.27 | ") for line in lines)
