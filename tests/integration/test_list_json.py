"""Lists return the same JSON by their prepared statements as by the SQL functions and by chosen fields."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest

from shared import database
from shared.auth.caller import Caller
from shared.lists import registry as lists
from shared.lists import statements
from shared.lists.listing import Listing
from shared.lists.read_page import read_page
from tests.integration.conftest import Server
from tests.integration.test_list_plans import database_with
from tests.integration.test_list_plans import filled_database as filled_database

pytestmark = pytest.mark.usefixtures("filled_database")

OWNER = UUID(int=1)
ROWS = 10
NESTED = """'{"a": [1.50, {"\\\\\\": ": null}], "ü": "\\": "}'"""
# Every second row, so that the columns are null and not null.
FILL_NULLS = (
    f"UPDATE records SET operation_response = {NESTED}, arguments = '[1.50, -2]', amount = 1.500,"
    " refund_id = records.id, refunded_at = '2026-01-02 03:04:05.6+02', operation_id = o.id"
    " FROM operations o WHERE o.type = 'division' AND amount::int % 2 = 0",
    "UPDATE users SET low_balance_threshold = 1.50, balance = 7.2500 WHERE balance::int % 2 = 0",
    "UPDATE tasks SET status = 'processing', bytes_total = 100, bytes_done = 33, rows_done = 7,"
    " lines_done = 7, spent = 7.70, started_at = now() - interval '1 minute',"
    " run_at = now() - interval '1 minute', updated_at = now(),"
    " error = 'a \"b\"', refund_id = id, refunded_at = now(), refunded = 1.10"
    " WHERE bytes_total % 2 = 0",
    "UPDATE api_keys SET limit_amount = 5.50, limit_per = 'month', spent = 1.10, spent_since = now(),"
    " last_used_at = now(), expires_at = now() + interval '1 day', scopes = '{}'"
    " WHERE right(id::text, 1) IN ('2', '4')",
    "UPDATE sessions SET rotated_at = now() WHERE right(id::text, 1) IN ('2', '4')",
    "UPDATE exports SET status = 'completed', finished_at = now(), expires_at = now(), error = 'a: b'"
    " WHERE rows_done % 2 = 0",
    "UPDATE webhooks SET paused_at = now(), paused_reason = 'owner', events = '{balance.low,task.failed}'"
    " WHERE right(id::text, 1) IN ('2', '4')",
    "INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)"
    f" SELECT id, id, 'update', 'user', id, {NESTED}, {NESTED} FROM users",
    "INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)"
    f" SELECT id, '{OWNER}', 'grant', 1.50, 0, 1.50, {NESTED} FROM users",
)
LISTS = [value for value in vars(lists).values() if isinstance(value, Listing)]


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[str]:
    with database_with(server, "list_json", ROWS, lambda _: f"'{OWNER}'::uuid"):
        with server.connect("list_json") as connection:
            for statement in FILL_NULLS:
                connection.run(statement)
        yield "list_json"


@pytest.mark.parametrize("role", ["client", "admin"])
@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_prepared_page_has_the_bytes_of_the_json_function_and_of_all_fields(
    listing: Listing, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(OWNER, role, session_id=OWNER)
    prepared = read_page(listing, "", caller)
    assert len(json.loads(prepared)[listing.name]) >= ROWS // 2
    assert read_page(listing, f"fields={','.join(listing.public)}", caller) == prepared
    monkeypatch.setattr(database, "prepared", None)
    monkeypatch.setattr(statements, "COMPILED", {})
    assert read_page(listing, "", caller) == prepared
