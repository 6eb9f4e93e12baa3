"""The benchmark's fill makes records, ledger entries, balances and usage that match each other."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.scale_fill import HEAVY, OTHER, fill
from functions.housekeeping import audit as nightly
from shared.billing import audit
from tests.support.charging import charge
from tests.support.users import create_person

ROWS = 20_000
Sql = Callable[..., list[list[Any]]]


def test_audits_of_the_fill_find_nothing_also_after_a_charge(database_url: str, sql: Sql) -> None:
    fill(database_url, ROWS)
    assert nightly.handler({}, None) == {"status": audit.PASSED}
    points = sql("SELECT * FROM audit_points ORDER BY user_id")
    assert audit.findings() == []
    assert sql("SELECT * FROM audit_points ORDER BY user_id") == points
    charge(create_person(balance=100))
    assert audit.findings() == []
    # The audit would find this, so it does read the entries.
    sql("UPDATE users SET balance = balance + 1 WHERE id = :id", id=OTHER[7])
    (line,) = audit.findings()
    assert str(OTHER[7]) in line


def test_records_match_the_ledger_entries(database_url: str, sql: Sql) -> None:
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('records', 'ledger') ORDER BY 1"
    before = sql(indexes)
    fill(database_url, ROWS)
    assert sql(indexes) == before
    assert sql("SELECT count(*), count(task_id) FROM records") == [[ROWS + 200, 200]]
    matching = """
        SELECT count(*) FROM ledger l JOIN records r ON r.id = CAST(l.reference ->> 'record_id' AS uuid)
        WHERE l.kind = 'charge' AND r.user_id = l.user_id AND r.date = l.date AND r.amount = -l.amount
          AND r.user_balance = l.balance_after"""
    assert sql(matching) == [[ROWS]]
    assert sql("SELECT sum(calls), sum(rows) FROM usage_hours") == [[ROWS, 200]]
    assert sql("SELECT count(*) FROM records WHERE user_id = :id", id=HEAVY) == [[ROWS // 5]]
    assert sql(
        "SELECT count(*) FROM tasks t WHERE rows_done <> (SELECT count(*) FROM records WHERE task_id = t.id)"
    ) == [[0]]


def test_fill_needs_whole_hours(database_url: str) -> None:
    with pytest.raises(ValueError, match="multiple of 1,250"):
        fill(database_url, 1000)
