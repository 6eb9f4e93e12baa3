"""The usage over HTTP: calls and rows of files by period and operation."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact
from tests.support.uploads import HEADER, ended, upload

USAGE = f"{API}/usage"


def usage(client: Client, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = exact(client.get(f"{API}/usage", params=query))["usage"]
    return rows


def test_usage_counts_calls_and_rows_of_files(client: Client) -> None:
    client.compute()
    path = upload(client, HEADER + b'addition,"[1, 2]"\nsquare_root,[4]\naddition,"[1"\naddition,"[1, 2]"\n')
    assert ended(client, path)["status"] == "completed"
    rows = usage(client)
    assert [(row["operation"], row["calls"], row["rows"], row["spent"]) for row in rows] == [
        ("addition", 1, 2, 15),
        ("square_root", 0, 1, 5),
    ]
    assert sum(row["spent"] for row in rows) == 20 - client.balance
    assert all(row["period"].endswith("T00:00:00.000000Z") for row in rows)


def test_usage_by_hour_and_month_has_the_same_sums(client: Client) -> None:
    client.compute()
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    query = {"from": hour.isoformat(), "by": "hour"}
    body = exact(client.get(USAGE, params=query))
    assert body["from"] == hour.strftime("%Y-%m-%dT%H:00:00.000000Z")
    assert body["by"] == "hour"
    assert [row["spent"] for row in body["usage"]] == [Decimal(5)]
    assert [row["spent"] for row in usage(client, by="month")] == [Decimal(5)]
    assert usage(client, to=hour.isoformat()) == []


def test_client_sees_own_usage_and_admin_that_of_one_user(
    admin: Client, client: Client, other: Client
) -> None:
    client.compute()
    assert usage(other) == []
    assert usage(client, user_id=client.id) == usage(client) == usage(admin, user_id=client.id)
    expect.problem(other.get(USAGE, params={"user_id": client.id}), 404)
    expect.problem(admin.get(USAGE, params={"user_id": str(uuid4())}), 404)
    before = sum(row["calls"] for row in usage(admin))
    client.compute()
    assert sum(row["calls"] for row in usage(admin)) > before


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"from": "2026-01-01"}, "from"),
        ({"from": "1767225600"}, "from"),
        ({"from": "2026-01-01T00:30:00Z"}, "from"),
        ({"to": "x"}, "to"),
        ({"by": "week"}, "by"),
        ({"user_id": "x"}, "user_id"),
        ({"from": "2020-01-01T00:00:00Z", "by": "hour"}, "from"),
        ({"since": "2026-01-01T00:00:00Z"}, "since"),
        ({"by": ["day", "hour"]}, "by"),
    ],
)
def test_invalid_query_is_rejected_by_name(client: Client, query: dict[str, Any], name: str) -> None:
    assert expect.pointers(client.get(USAGE, params=query)) == [f"#/query/{name}"]
