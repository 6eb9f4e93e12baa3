"""Lists: paging, fields, filters, sort and cursor, with the same rules for all lists."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact

ROWS = 23
RECORDS = f"{API}/records"


@pytest.fixture(scope="module")
def reader(account: Callable[..., Client]) -> Client:
    """A client with 23 records: 12 sums, 11 roots."""
    client = account(balance=5 * ROWS + 1)
    for n in range(ROWS):
        response = client.compute("addition", n, 1) if n % 2 == 0 else client.compute("square_root", n * n)
        assert response.status_code == 200
    return client


def page(client: Client, resource: str = "records", **query: Any) -> Any:
    return exact(client.get(f"{API}/{resource}", params=query))


def test_page_has_ten_rows_by_default_and_the_total(reader: Client) -> None:
    first = page(reader)
    assert (len(first["records"]), first["total"], first["total_pages"]) == (10, ROWS, 3)
    assert first["next_cursor"]
    assert page(reader, page=1, page_size=10)["records"] == first["records"]


def test_numbered_pages_contain_every_row_once(reader: Client) -> None:
    pages = [page(reader, page=n, page_size=7) for n in (1, 2, 3, 4)]
    assert [len(one["records"]) for one in pages] == [7, 7, 7, 2]
    assert {(one["total"], one["total_pages"]) for one in pages} == {(ROWS, 4)}
    assert [row for one in pages for row in one["records"]] == reader.rows("records")
    assert pages[-1]["next_cursor"] is None


def test_page_past_the_end_is_empty_but_has_the_total(reader: Client) -> None:
    past = page(reader, page=1000)
    assert (past["records"], past["total"], past["total_pages"], past["next_cursor"]) == ([], ROWS, 3, None)


@pytest.mark.parametrize("size", [1, 23, 100])
def test_page_may_have_1_to_100_rows(reader: Client, size: int) -> None:
    assert len(page(reader, page_size=size)["records"]) == min(size, ROWS)


@pytest.mark.parametrize("sort", [None, "date", "-amount", "-user_balance,date", "task_id,-task_row", "id"])
def test_cursor_visits_every_row_once_in_sort_order(reader: Client, sort: str | None) -> None:
    order = {"sort": sort} if sort else {}
    whole = page(reader, page_size=100, **order)["records"]
    rows, cursor = [], page(reader, page_size=4, **order)["next_cursor"]
    rows += page(reader, page_size=4, **order)["records"]
    while cursor:
        part = page(reader, page_size=4, cursor=cursor, **order)
        assert "total" not in part
        assert "total_pages" not in part
        rows, cursor = rows + part["records"], part["next_cursor"]
    assert rows == whole
    assert len({row["id"] for row in rows}) == ROWS


def test_new_rows_do_not_shift_a_cursor(account: Callable[..., Client]) -> None:
    client = account(balance=50)
    older = [exact(client.compute())["record_id"] for _ in range(4)]
    first = page(client, page_size=2)
    client.compute()
    second = page(client, page_size=2, cursor=first["next_cursor"])
    assert [row["id"] for row in first["records"] + second["records"]] == older[::-1]
    assert second["next_cursor"] is None


def test_fields_selects_the_fields_of_the_rows(reader: Client) -> None:
    rows = page(reader, fields="amount,id")["records"]
    assert all(list(row) == ["amount", "id"] for row in rows)


def test_sort_orders_the_rows(reader: Client) -> None:
    ascending = page(reader, sort="user_balance", page_size=100)["records"]
    assert [row["user_balance"] for row in ascending] == [1 + 5 * n for n in range(ROWS)]
    assert page(reader, sort="-user_balance", page_size=100)["records"] == ascending[::-1]


def test_filters_compare_fields(reader: Client) -> None:
    rows = reader.rows("records")
    one, balances = rows[7], [row["user_balance"] for row in rows]
    for query, wanted in (
        ({"id": one["id"]}, [one]),
        ({"id__in": f"{one['id']},{rows[8]['id']}"}, rows[7:9]),
        ({"user_balance": "11"}, [row for row in rows if row["user_balance"] == 11]),
        ({"user_balance__gt": "100"}, rows[len([b for b in balances if b <= 100]) :]),
        ({"user_balance__gte": "101"}, [row for row in rows if row["user_balance"] >= 101]),
        ({"user_balance__lt": "6"}, [row for row in rows if row["user_balance"] < 6]),
        ({"user_balance__lte": "6"}, [row for row in rows if row["user_balance"] <= 6]),
        ({"date__gte": one["date"]}, rows[:8]),
        ({"date__lt": one["date"]}, rows[8:]),
        ({"operation_response": "3"}, [row for row in rows if row["operation_response"] == 3]),
        ({"task_id": "null"}, rows),
        ({"amount": "4"}, []),
    ):
        assert reader.rows("records", **query) == wanted, query


def test_filters_apply_to_paging_and_to_the_total(reader: Client) -> None:
    (root,) = reader.rows("operations", type="square_root")
    roots = page(reader, operation_id=root["id"], page_size=4, user_balance__gt="10")
    wanted = [
        row
        for row in reader.rows("records")
        if row["operation_id"] == root["id"] and row["user_balance"] > 10
    ]
    assert roots["total"] == len(wanted)
    assert roots["records"] == wanted[:4]


def test_like_filters_text_by_pattern(admin: Client, client: Client) -> None:
    part = client.email[5:20]
    assert [user["email"] for user in admin.rows("users", email__like=f"%{part}%")] == [client.email]
    types = {row["type"] for row in client.rows("operations", type__like="%ion")}
    assert types == {"addition", "substraction", "multiplication", "division"}
    rows = client.rows("operations", type__in="division,addition", sort="type")
    assert [row["type"] for row in rows] == ["addition", "division"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"nonsense": "1"}, "nonsense"),
        ({"fields": "id,nonsense"}, "nonsense"),
        ({"sort": "-nonsense"}, "nonsense"),
        ({"amount__near": "1"}, "amount__near"),
        ({"id__gt": "x"}, "id__gt"),
        ({"amount": "much"}, "amount"),
        ({"date__gte": "yesterday"}, "date__gte"),
        ({"user_id": "me"}, "user_id"),
        ({"task_row": "1.5"}, "task_row"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"page": "1", "cursor": "x"}, "cursor"),
        ({"fields": ""}, "fields"),
        ({"sort": ""}, "sort"),
        ({"sort": "operation_response"}, "operation_response"),
    ],
    ids=str,
)
def test_invalid_query_is_rejected_with_its_parameter(
    client: Client, query: dict[str, str], named: str
) -> None:
    problem = expect.problem(client.get(RECORDS, params=query), 422)
    assert named in problem["detail"]


def test_cursor_of_another_sort_is_rejected(reader: Client) -> None:
    cursor = page(reader, page_size=4)["next_cursor"]
    expect.problem(reader.get(RECORDS, params={"cursor": cursor, "sort": "amount"}), 422)
