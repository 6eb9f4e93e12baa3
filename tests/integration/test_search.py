"""Searching records: what matches, in which order, and how many rows one search examines."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from shared.errors import InvalidInput
from shared.lists import read_page as read_page_module
from shared.lists.registry import RECORDS, USERS
from tests.support.list_reader import Reader, ids
from tests.support.users import Person, create_person

Sql = Callable[..., list[list[Any]]]


@pytest.fixture
def searched(client: Person, sql: Sql) -> list[UUID]:
    """Records of four operations, newest first."""
    rows = [
        ("addition", [1, 2], 3),
        ("multiplication", [12, 12], 144),
        ("random_string", [], "aB%_\\z"),
        ("division", [1, 3], 0.3333),
    ]
    for number, (operation, arguments, response) in enumerate(rows, 1):
        sql(
            """INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount,
                                    user_balance, date)
               SELECT :id, :user_id, id, CAST(:arguments AS jsonb), CAST(:response AS jsonb), 5, 5,
                      now() - :number * interval '1 minute'
               FROM operations WHERE type = :operation""",
            id=UUID(int=number),
            user_id=client.id,
            arguments=json.dumps(arguments),
            response=json.dumps(response),
            number=number,
            operation=operation,
        )
    return [UUID(int=number) for number in range(1, len(rows) + 1)]


MATCHES = {
    "operation": ("plic", [2]),
    "operation in another case": ("DIVI", [4]),
    "part of two operations": ("i", [1, 2, 3, 4]),
    "arguments": ("[1, ", [1, 4]),
    "number in arguments and result": ("12", [2]),
    "result": ("0.33", [4]),
    "text result in another case": ("Ab", [3]),
    "percent sign": ("%", [3]),
    "underscore": ("B%_", [3]),
    "nothing": ("absent", []),
}


@pytest.mark.parametrize(("text", "found"), MATCHES.values(), ids=MATCHES)
def test_search_finds_text_in_operation_arguments_and_result(
    client_reader: Reader, searched: list[UUID], text: str, found: list[int]
) -> None:
    page = client_reader.page(RECORDS, search=text)
    assert ids(page["records"]) == [UUID(int=number) for number in found]
    assert (page["total"], page["total_relation"], page["next_cursor"]) == (len(found), "eq", None)


def test_search_finds_no_record_of_another_user(searched: list[UUID]) -> None:
    assert Reader(create_person().caller).page(RECORDS, search="i")["records"] == []


def test_search_combines_with_filters_and_fields(client_reader: Reader, searched: list[UUID]) -> None:
    rows = client_reader.rows(RECORDS, search="i", operation="division", fields="operation")
    assert rows == [{"operation": "division"}]


@pytest.mark.parametrize("window", [1, 7, 29, 30, 31])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_search_by_cursor_finds_every_match_once_in_windows(
    client_reader: Reader, records: list[UUID], monkeypatch: pytest.MonkeyPatch, window: int, size: int
) -> None:
    monkeypatch.setattr(read_page_module, "SEARCH_WINDOW", window)
    found = list(client_reader.walk(RECORDS, search="abc", page_size=size))
    assert ids(found) == [row for row in records if (row.int - 1) % 4 == 1]


def test_search_that_did_not_examine_all_rows_has_a_lower_bound_and_a_cursor(
    client_reader: Reader, records: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_page_module, "SEARCH_WINDOW", 10)
    page = client_reader.page(RECORDS, search="absent")
    assert (page["records"], page["total"], page["total_relation"]) == ([], 0, "gte")
    assert page["next_cursor"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"search": ""}, "search"),
        ({"search": "x" * 201}, "search"),
        ({"search": "\0"}, "search"),
        ({"search": "x", "sort": "amount"}, "sort"),
        ({"search": "x", "page": 2}, "page"),
    ],
)
def test_invalid_search_is_rejected(client_reader: Reader, query: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        client_reader.page(RECORDS, **query)
    assert [fault["pointer"] for fault in caught.value.errors] == [f"#/query/{pointer}"]


def test_list_without_search_rejects_it(admin_reader: Reader) -> None:
    with pytest.raises(InvalidInput, match="unknown parameter"):
        admin_reader.page(USERS, search="x")
