"""Lists on real rows: pages, cursors, sorts, filters, fields."""

import math
from collections.abc import Callable
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from shared.errors import InvalidInput
from shared.lists import read_page as read_page_module
from shared.lists.registry import RECORDS, TASKS, USERS
from tests.support.list_reader import Reader, ids
from tests.support.users import Person, create_person

Sql = Callable[..., list[list[Any]]]


def test_default_page_has_the_ten_newest_rows(client_reader: Reader, records: list[UUID]) -> None:
    page = client_reader.page(RECORDS)
    assert ids(page["records"]) == records[:10]
    assert (page["total"], page["total_pages"], page["total_relation"]) == (30, 3, "eq")
    assert page["next_cursor"]


def test_numbered_pages_contain_every_row_once_and_none_after_the_last(
    client_reader: Reader, records: list[UUID]
) -> None:
    pages = [client_reader.page(RECORDS, page=number, page_size=7) for number in range(1, 7)]
    assert [len(page["records"]) for page in pages] == [7, 7, 7, 7, 2, 0]
    assert [row for page in pages for row in ids(page["records"])] == records
    assert {(page["total"], page["total_pages"]) for page in pages} == {(30, 5)}
    assert [page["next_cursor"] is None for page in pages] == [False] * 4 + [True] * 2


SORTS = [None, "date", "-date", "amount", "-task_row", "task_row", "task_id", "-task_id,amount", "id", "-id"]
SORTS += [
    "amount,-date",
    "-amount,date,task_row",
    "date,-task_id,id",
    "task_id,task_row",
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("size", [1, 7, 10])
def test_cursor_visits_each_row_exactly_once_in_sort_order(
    client_reader: Reader, records: list[UUID], sort: str | None, size: int
) -> None:
    walked = ids(list(client_reader.walk(RECORDS, sort=sort, page_size=size)))
    assert sorted(walked) == sorted(records)
    assert walked == ids(client_reader.rows(RECORDS, sort=sort))


@pytest.mark.parametrize(
    ("one", "other"), list(product(["amount", "-amount"], ["task_row", "-task_row", "date", "-date"]))
)
def test_sort_orders_rows_by_its_fields_with_nulls_last(
    client_reader: Reader, records: list[UUID], one: str, other: str
) -> None:
    rows = client_reader.rows(RECORDS, sort=f"{one},{other}")
    assert len(rows) == len(records)

    def sort_key(row: dict[str, Any]) -> list[tuple[bool, float]]:
        keys = list[tuple[bool, float]]()
        for part in (one, other):
            value = row[part.lstrip("-")]
            number = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value or 0
            keys.append((value is None, -number if part.startswith("-") else number))
        return keys

    assert [sort_key(row) for row in rows] == sorted(sort_key(row) for row in rows)


def test_concurrent_changes_do_not_shift_a_walk_by_cursor(
    client_reader: Reader, records: list[UUID], client: Person, sql: Sql
) -> None:
    walk = client_reader.walk(RECORDS, page_size=5)
    first = [next(walk) for _ in range(5)]
    sql(
        "INSERT INTO records (id, user_id, operation_id, amount, user_balance)"
        " SELECT gen_random_uuid(), user_id, operation_id, 1, 1 FROM records WHERE id = :id",
        id=records[0],
    )
    sql("UPDATE records SET deleted_at = now() WHERE id = :id", id=records[3])
    assert ids(first) + ids(list(walk)) == records


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"amount": "1"}, lambda n: n % 3 == 1),
        ({"amount": "1.0000"}, lambda n: n % 3 == 1),
        ({"amount__gte": "1", "amount__lt": "2"}, lambda n: n % 3 == 1),
        ({"amount__gt": "0", "amount__lte": "1"}, lambda n: n % 3 == 1),
        ({"amount__in": "0,2"}, lambda n: n % 3 != 1),
        ({"date": "2026-01-02T00:00:00Z"}, lambda n: n // 5 == 1),
        ({"date": "2026-01-02T01:00:00+01:00"}, lambda n: n // 5 == 1),
        ({"date__gt": "2026-01-02", "date__lte": "2026-01-04"}, lambda n: n // 5 in (2, 3)),
        ({"task_id": "null"}, lambda n: n % 4 == 0),
        ({"task_id": str(UUID(int=2))}, lambda n: n % 4 == 2),
        ({"task_id__in": f"{UUID(int=2)},null"}, lambda n: n % 4 in (0, 2)),
        ({"task_row__gte": "20"}, lambda n: n >= 20 and n % 4),
        ({"operation_response": "3"}, lambda n: n % 4 == 0),
        ({"operation_response": "abc"}, lambda n: n % 4 == 1),
        ({"operation_response": '{"a": 1.5}'}, lambda n: n % 4 == 3),
        ({"operation_response": "null"}, lambda n: n % 4 == 2),
        ({"arguments": "[1,2]"}, lambda n: True),
        ({"amount": "7"}, lambda n: False),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "rows",
)
def test_filter_returns_exactly_the_matching_rows(
    client_reader: Reader, records: list[UUID], query: dict[str, str], expected: Callable[[int], bool]
) -> None:
    oldest_first = records[::-1]
    wanted = [oldest_first[n] for n in range(29, -1, -1) if expected(n)]
    page = client_reader.page(RECORDS, page_size=100, **query)
    assert ids(page["records"]) == wanted
    assert page["total"] == len(wanted)


def test_email_filters_match_case_insensitively_and_with_patterns(admin_reader: Reader, sql: Sql) -> None:
    for name in ("ada", "grace", "a_a"):
        sql("UPDATE users SET email = :e WHERE id = :id", e=f"{name}@math.example", id=create_person().id)

    def found(**query: str) -> list[str]:
        return sorted(row["email"].split("@")[0] for row in admin_reader.rows(USERS, **query))

    assert found(email="ada@math.example") == found(email="Ada@Math.Example") == ["ada"]
    assert found(email__like="%@MATH.example") == ["a_a", "ada", "grace"]
    assert found(email__like="a_a@%") == ["a_a", "ada"]
    assert found(email__like=r"a\_a@%") == ["a_a"]
    assert found(email__in="ada@math.example,grace@math.example") == ["ada", "grace"]
    assert found(email__gte="grace@", email__like="%math%") == ["grace"]
    assert found(email="' OR 1=1 --") == []
    assert found(role="admin", email__like="default%") == ["defaultadmin"]


def test_fields_selects_the_fields_in_their_order(client_reader: Reader, records: list[UUID]) -> None:
    rows = client_reader.page(RECORDS, fields="amount,id", page_size=2)["records"]
    assert [list(row) for row in rows] == [["amount", "id"]] * 2
    assert sorted(ids(list(client_reader.walk(RECORDS, fields="id", sort="amount", page_size=7)))) == sorted(
        records
    )


def test_percentage_and_results_of_a_task_can_be_filtered_and_sorted(
    client_reader: Reader, client: Person, sql: Sql
) -> None:
    for status, done in (("completed", 10), ("processing", 5), ("failed", 1)):
        sql(
            "INSERT INTO tasks (id, user_id, filename, status, bytes_total, bytes_done)"
            " VALUES (gen_random_uuid(), :u, 'a.csv', :s, 10, :d)",
            u=client.id,
            s=status,
            d=done,
        )
    assert [row["percentage"] for row in client_reader.walk(TASKS, sort="-percentage", page_size=1)] == [
        100,
        50,
        10,
    ]
    (completed,) = client_reader.rows(TASKS, percentage__gt="50")
    assert completed["results"] == f"/api/v1/tasks/{completed['id']}/results"
    assert [row["results"] is None for row in client_reader.walk(TASKS, sort="results", page_size=1)] == [
        False,
        True,
        True,
    ]


def test_long_list_reports_a_lower_bound_of_its_total(
    client_reader: Reader, records: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_page_module, "COUNT_LIMIT", 20)
    page = client_reader.page(RECORDS)
    assert (page["total"], page["total_relation"], page["total_pages"]) == (20, "gte", 2)
    assert client_reader.page(RECORDS, amount="1")["total_relation"] == "eq"
    monkeypatch.setattr(read_page_module, "COUNT_LIMIT", 30)
    page = client_reader.page(RECORDS)
    assert (page["total"], page["total_relation"]) == (30, "eq")


@pytest.mark.parametrize("page_size", [1, 7, 10, 30])
@pytest.mark.parametrize("limit", [5, 20, 29, 30, 1000])
@pytest.mark.parametrize("count_after", [3.0, -1.0], ids=["counted", "too slow to count"])
def test_total_is_consistent_with_its_page(
    client_reader: Reader,
    records: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
    page_size: int,
    limit: int,
    count_after: float,
) -> None:
    monkeypatch.setattr(read_page_module, "COUNT_LIMIT", limit)
    monkeypatch.setattr(read_page_module, "COUNT_AFTER", count_after)
    for number in range(1, 30 // page_size + 1):
        page = client_reader.page(RECORDS, page=number, page_size=page_size)
        rows_so_far = (number - 1) * page_size + len(page["records"])
        has_next = page["next_cursor"] is not None
        assert rows_so_far + has_next <= page["total"] <= 30
        assert page["total_pages"] == math.ceil(page["total"] / page_size) >= number + has_next
        assert page["total_relation"] == "gte" or page["total"] == 30


def test_rows_deleted_between_page_and_count_leave_a_lower_bound(
    client_reader: Reader, records: list[UUID], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = read_page_module._count

    def count_after_deletion(*arguments: Any) -> int | None:
        sql("UPDATE records SET deleted_at = now()")
        return count(*arguments)

    monkeypatch.setattr(read_page_module, "_count", count_after_deletion)
    page = client_reader.page(RECORDS)
    assert (len(page["records"]), page["total"], page["total_relation"]) == (10, 11, "gte")


def test_slow_page_past_the_end_is_rejected(
    client_reader: Reader, records: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client_reader.page(RECORDS, page=4)["total"] == 30
    monkeypatch.setattr(read_page_module, "COUNT_AFTER", -1.0)
    with pytest.raises(InvalidInput, match="too long"):
        client_reader.page(RECORDS, page=4)
