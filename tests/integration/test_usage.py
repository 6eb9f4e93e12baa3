"""The usage by period and operation: exactly the ledger's charges, in one bounded read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pg8000.native import literal, to_statement

from shared import database
from shared.billing import usage
from shared.database.connection import statement_text
from shared.errors import InvalidInput, NotFound
from shared.ids import uuid7
from shared.schemas.field_types import UsagePeriod
from tests.support.audit import mismatches
from tests.support.charging import charge
from tests.support.plans import rows_read
from tests.support.users import Person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]

START = datetime(2026, 1, 31, 22, tzinfo=UTC)
SHORTER, ONE_USER = r"Send a shorter range\.$", r"Send a shorter range, or one user in user_id\.$"


def read(
    person: Person,
    start: datetime | None = None,
    end: datetime | None = None,
    by: UsagePeriod = "day",
    user_id: UUID | None = None,
) -> list[tuple[str, str, int, int, Decimal]]:
    """Return the period, operation, calls, rows and spent of each row."""
    body = json.loads(usage.read(person.caller, start, end, by, user_id), parse_float=Decimal)
    return [tuple(row.values()) for row in body["usage"]]


def plant(sql: Sql, person: Person, hour: datetime, type: str = "addition", spent: str = "5") -> None:
    sql(
        """INSERT INTO usage_hours (user_id, hour, type, calls, rows, spent)
           VALUES (:id, :hour, :type, 1, 2, CAST(:spent AS numeric))""",
        id=person.id,
        hour=hour,
        type=type,
        spent=spent,
    )


def test_charges_are_counted_by_operation(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0.0001 WHERE type = 'multiplication'")
    for operation in ("addition", "addition", "multiplication"):
        charge(client, operation=operation)
    found = [row[1:] for row in read(client)]
    assert found == [("addition", 2, 0, 10), ("multiplication", 1, 0, Decimal("0.0001"))]
    assert mismatches() == []


def test_replay_and_rejected_charge_are_not_counted(client: Person) -> None:
    charge(client, "key")
    assert charge(client, "key").replayed
    with pytest.raises(InvalidInput):
        charge(client, operation="cube")
    assert [row[1:] for row in read(client)] == [("addition", 1, 0, 5)]


def test_free_call_is_counted(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0 WHERE type = 'addition'")
    charge(client)
    assert [row[1:] for row in read(client)] == [("addition", 1, 0, 0)]


def test_concurrent_charges_are_all_counted(client: Person, sql: Sql) -> None:
    sql("UPDATE operations SET cost = 0.1")
    operations = ("addition", "multiplication")
    run_concurrently(20, lambda number: charge(client, operation=operations[number % 2]))
    assert [row[1:] for row in read(client)] == [(name, 10, 0, 1) for name in operations]
    assert mismatches() == []


@pytest.mark.parametrize(
    ("by", "periods"),
    [
        ("hour", ["2026-01-31T22", "2026-01-31T23", "2026-02-01T00"]),
        ("day", ["2026-01-31T00", "2026-02-01T00"]),
        ("month", ["2026-01-01T00", "2026-02-01T00"]),
    ],
)
def test_hours_are_summed_by_period_in_utc(
    client: Person, sql: Sql, by: UsagePeriod, periods: list[str]
) -> None:
    sql("SET timezone = 'Asia/Kolkata'")
    for hour in range(3):
        plant(sql, client, START + timedelta(hours=hour), spent="0.1")
        plant(sql, client, START + timedelta(hours=hour), "division", "99999999999999.9999")
    rows = read(client, START, START + timedelta(hours=3), by)
    assert list(dict.fromkeys(row[0] for row in rows)) == [f"{period}:00:00.000000Z" for period in periods]
    assert [sum(row[2] for row in rows), sum(row[3] for row in rows)] == [6, 12]
    assert sum(row[4] for row in rows) == 3 * (Decimal("99999999999999.9999") + Decimal("0.1"))


def test_range_includes_from_and_excludes_to(client: Person, sql: Sql) -> None:
    for hour in range(4):
        plant(sql, client, START + timedelta(hours=hour), spent=str(hour))
    rows = read(client, START + timedelta(hours=1), START + timedelta(hours=3), "hour")
    assert [row[4] for row in rows] == [1, 2]


def test_default_range_is_the_last_30_days_including_today(client: Person, sql: Sql) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days in (-30, -29, 0, 1):
        plant(sql, client, today + timedelta(days=days), spent=str(days))
    assert [row[4] for row in read(client)] == [-29, 0]
    assert [row[4] for row in read(client, end=today)] == [-30, -29]


def test_client_reads_own_usage_and_admin_that_of_all_or_of_one(client: Person, admin: Person) -> None:
    for person in (client, client, admin):
        charge(person)
    assert [row[1:] for row in read(client)] == [("addition", 2, 0, 10)]
    assert [row[1:] for row in read(client, user_id=client.id)] == [("addition", 2, 0, 10)]
    assert [row[1:] for row in read(admin)] == [("addition", 3, 0, 15)]
    assert [row[1:] for row in read(admin, user_id=client.id)] == [("addition", 2, 0, 10)]


def test_unknown_user_and_another_user_are_not_found(client: Person, admin: Person) -> None:
    for person, user_id in ((client, admin.id), (client, uuid7()), (admin, uuid7())):
        with pytest.raises(NotFound):
            read(person, user_id=user_id)


@pytest.mark.parametrize(
    ("by", "accepted"),
    [("hour", datetime(2000, 2, 11, 16)), ("day", datetime(2002, 9, 27)), ("month", datetime(2083, 5, 1))],
)
def test_range_of_more_than_1000_periods_is_rejected(
    client: Person, by: UsagePeriod, accepted: datetime
) -> None:
    start, end = datetime(2000, 1, 1, tzinfo=UTC), accepted.replace(tzinfo=UTC)
    assert read(client, start, end, by) == []
    with pytest.raises(InvalidInput) as caught:
        read(client, start, end + timedelta(hours=1), by)
    assert caught.value.errors[0]["pointer"] == "#/query/from"
    assert "1,001 periods" in caught.value.detail


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (START, START, "from"),
        (START, START - timedelta(hours=1), "from"),
        (START + timedelta(minutes=1), None, "from"),
        (START, START + timedelta(hours=1, microseconds=1), "to"),
        (datetime.max.replace(minute=0, second=0, microsecond=0, tzinfo=UTC), None, "from"),
        (None, datetime.min.replace(tzinfo=UTC), "from"),
    ],
)
def test_empty_range_and_part_of_an_hour_are_rejected(
    client: Person, start: datetime | None, end: datetime | None, name: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(client, start, end)
    assert caught.value.errors[0]["pointer"] == f"#/query/{name}"


def test_range_with_more_rows_than_the_limit_is_rejected(
    client: Person, admin: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "ROWS_LIMIT", 2)
    start, end = START, START + timedelta(hours=3)
    for person, hour in ((client, 0), (client, 1), (admin, 2)):
        plant(sql, person, START + timedelta(hours=hour))
    assert read(client, start, end)
    assert read(admin, start + timedelta(hours=1), end)
    with pytest.raises(InvalidInput, match=ONE_USER) as caught:
        read(admin, start, end)
    assert caught.value.errors[0]["pointer"] == "#/query/from"
    plant(sql, client, START + timedelta(hours=2))
    with pytest.raises(InvalidInput, match=SHORTER):
        read(client, start, end)


def test_timeout_is_answered_with_what_to_send_instead(admin: Person, database_url: str, sql: Sql) -> None:
    sql("BEGIN")
    sql("LOCK TABLE usage_hours IN ACCESS EXCLUSIVE MODE")
    with (
        database.statement_timeout(0.2),
        pytest.raises(InvalidInput, match=ONE_USER),
    ):
        read(admin)


@pytest.mark.parametrize("of_all", [False, True])
def test_generic_plan_reads_by_index_and_stops_at_the_limit(client: Person, sql: Sql, of_all: bool) -> None:
    sql(
        """INSERT INTO usage_hours (user_id, hour, type)
           SELECT u.id, h, t FROM users u, generate_series(1, 6) t,
                generate_series(CAST('2026-01-01Z' AS timestamptz), '2026-12-31', '1 hour') h"""
    )
    sql("ANALYZE usage_hours")
    text, make_values = to_statement(statement_text("usage"))
    sql(f"PREPARE read_usage AS {text}")
    sql("SET plan_cache_mode = force_generic_plan")
    ((users,),) = sql("SELECT count(*) FROM users")
    of_range = 24 * 6 * (users if of_all else 1)
    for rows_limit, expected in ((of_range, of_range), (of_range - 2, of_range - 1)):
        values = make_values(
            {
                "user_id": None if of_all else client.id,
                "start": START,
                "end": START + timedelta(days=1),
                "by": "day",
                "rows_limit": rows_limit,
            }
        )
        arguments = ", ".join(map(literal, values))
        ((plan,),) = sql(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE read_usage({arguments})")
        assert rows_read(plan[0]["Plan"], "usage_hours") == expected, plan
