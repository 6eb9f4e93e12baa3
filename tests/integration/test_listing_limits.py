"""Lists: visibility of rows, tampered cursors, and values at the limits of their types."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from shared import database
from shared.errors import InvalidInput
from shared.ids import uuid7
from shared.lists.listing import Listing
from shared.lists.registry import API_KEYS, LEDGER, OPERATIONS, RECORDS, SESSIONS, TASKS, USERS
from tests.support.list_reader import Reader, ids
from tests.support.users import Person, create_api_key, create_person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


@pytest.mark.parametrize("listing", [RECORDS, LEDGER, TASKS, API_KEYS], ids=lambda one: one.name)
def test_client_sees_only_own_rows_for_any_query(
    client: Person, admin: Person, sql: Sql, listing: Listing
) -> None:
    ((operation_id,),) = sql("SELECT id FROM operations WHERE type = 'addition'")
    other = create_person()
    for person in (client, other):
        create_api_key(person.id)
        sql(
            "INSERT INTO records (id, user_id, operation_id, amount, user_balance)"
            " VALUES (:id, :u, :o, 1, 1)",
            id=uuid7(),
            u=person.id,
            o=operation_id,
        )
        sql(
            "INSERT INTO tasks (id, user_id, filename, status, bytes_total)"
            " VALUES (:id, :u, 'a', 'queued', 1)",
            id=uuid7(),
            u=person.id,
        )
    assert len(Reader(client.caller).rows(listing)) == 1
    if "user_id" in listing.public:
        assert Reader(client.caller).rows(listing, user_id=other.id) == []
        assert len(Reader(admin.caller).rows(listing, user_id=other.id)) == 1
    assert len(Reader(admin.caller).rows(listing)) >= (2 if listing.admins_see_all else 0)
    if not listing.admins_see_all:
        assert Reader(admin.caller).rows(listing) == []


@pytest.mark.parametrize("listing", [RECORDS, USERS, OPERATIONS], ids=lambda one: one.name)
def test_deleted_rows_are_shown_only_to_an_admin_who_requests_them(
    client_reader: Reader, admin_reader: Reader, records: list[UUID], sql: Sql, listing: Listing
) -> None:
    sql(f"UPDATE {listing.name} SET deleted_at = now() WHERE id = (SELECT id FROM {listing.name} LIMIT 1)")
    ((everything,),) = sql(f"SELECT count(*) FROM {listing.name}")
    assert len(admin_reader.rows(listing)) == everything - 1
    shown = admin_reader.rows(listing, deleted="true")
    assert len(shown) == everything
    assert sum(row["deleted_at"] is not None for row in shown) == 1
    assert len(admin_reader.rows(listing, deleted="false")) == everything - 1
    with pytest.raises(InvalidInput) as caught:
        client_reader.page(listing, deleted="true")
    assert caught.value.errors[0]["pointer"] == "#/query/deleted"


def test_row_of_a_user_has_no_password_hash(admin_reader: Reader) -> None:
    assert all("hash" not in name for row in admin_reader.rows(USERS) for name in row)


def test_revoked_api_key_is_not_listed(client_reader: Reader, client: Person, sql: Sql) -> None:
    key_id = create_api_key(client.id).id
    assert ids(client_reader.rows(API_KEYS)) == [key_id]
    database.one("revoke_api_key", id=key_id, user_id=client.id, admin_id=None, audit_id=None)
    assert client_reader.rows(API_KEYS) == []


@pytest.mark.parametrize("end", ["revoked_at = now()", "expires_at = now()"])
def test_ended_session_is_neither_listed_nor_ended_again(
    client_reader: Reader, client: Person, sql: Sql, end: str
) -> None:
    assert ids(client_reader.rows(SESSIONS)) == [client.session_id]
    sql(f"UPDATE sessions SET {end}")
    assert client_reader.rows(SESSIONS) == []
    assert database.one("end_session", id=client.session_id, user_id=client.id) is None


def altered(cursor: str, change: Callable[[Any], Any]) -> str:
    payload = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    return base64.urlsafe_b64encode(json.dumps(change(payload)).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "tampering",
    [
        lambda cursor: "",
        lambda cursor: "x",
        lambda cursor: cursor[: len(cursor) // 2],
        lambda cursor: cursor + "é",
        lambda cursor: "A" * 10_000,
        lambda cursor: altered(cursor, lambda payload: None),
        lambda cursor: altered(cursor, lambda payload: [payload[0]]),
        lambda cursor: altered(cursor, lambda payload: [payload[0], payload[1][:1]]),
        lambda cursor: altered(cursor, lambda payload: [payload[0], [None, None]]),
        lambda cursor: altered(cursor, lambda payload: [payload[0], {"a": 1, "b": 2}]),
        lambda cursor: altered(cursor, lambda payload: [payload[0], ["x", "y"]]),
        lambda cursor: altered(
            cursor, lambda payload: [payload[0], ["'; DROP TABLE records", payload[1][1]]]
        ),
        lambda cursor: altered(cursor, lambda payload: [payload[0], ["\0", payload[1][1]]]),
        lambda cursor: altered(cursor, lambda payload: [payload[0], ["\ud800", payload[1][1]]]),
        lambda cursor: altered(cursor, lambda payload: [payload[0], ["9999999-01-01", payload[1][1]]]),
        lambda cursor: altered(cursor, lambda payload: [[["amount", True]], payload[1]]),
    ],
)
def test_tampered_cursor_is_rejected(
    client_reader: Reader, records: list[UUID], tampering: Callable[[str], str]
) -> None:
    cursor = client_reader.page(RECORDS)["next_cursor"]
    with pytest.raises(InvalidInput):
        client_reader.page(RECORDS, cursor=tampering(cursor))


def test_cursor_of_another_sort_is_rejected(client_reader: Reader, records: list[UUID]) -> None:
    cursor = client_reader.page(RECORDS, sort="amount")["next_cursor"]
    with pytest.raises(InvalidInput) as caught:
        client_reader.page(RECORDS, sort="-amount", cursor=cursor)
    assert caught.value.errors[0]["pointer"] == "#/query/cursor"


def test_cursor_of_another_user_shows_none_of_their_rows(client_reader: Reader, records: list[UUID]) -> None:
    cursor = client_reader.page(RECORDS)["next_cursor"]
    assert Reader(create_person().caller).page(RECORDS, cursor=cursor)["records"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"amount": "1e308"},
        {"amount": "-1e-308"},
        {"task_row": "9" * 18},
        {"date": "9999-12-31T23:59:59.999999Z"},
        {"date": "0001-01-01T00:00:00Z"},
        {"date__gte": "0001-01-01T00:00:00+14:00"},
        {"operation_response": "[" * 50_000},
        {"operation_response": '"\\u0000"'},
        {"operation_response": '"\\ud800"'},
        {"operation_response": "1e400"},
        {"page": "1000000", "page_size": "100"},
        {"arguments": ""},
    ],
    ids=lambda query: str(query)[:40],
)
def test_extreme_value_of_the_right_type_is_accepted_or_rejected(
    client_reader: Reader, query: dict[str, str]
) -> None:
    with suppress(InvalidInput):
        assert client_reader.page(RECORDS, **query)["records"] == []
