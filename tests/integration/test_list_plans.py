"""The query plans of lists in filled tables: an index, or a bounded scan."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from shared import database
from shared.auth.caller import Caller
from shared.database import Row, dispose_connections
from shared.database.connection import Database
from shared.errors import InvalidInput
from shared.exports import LISTINGS
from shared.http.problems import PROBLEMS
from shared.lists import read_page as read_page_module
from shared.lists import registry as lists
from shared.lists.listing import Listing
from shared.lists.query import FieldType
from shared.lists.read_page import read_page
from tests.integration.conftest import Server, use
from tests.support.list_reader import Reader
from tests.support.plans import Plan, is_in_index_order, rows_read, steps
from worker import exports
from worker.s3_writer import S3ObjectWriter

pytestmark = pytest.mark.usefixtures("filled_database")

Plans = Callable[[Listing, dict[str, str]], list[Plan]]

OWNERS, ROWS = 500, 50_000
ONE = UUID(int=7)
LISTS = [value for value in vars(lists).values() if isinstance(value, Listing)]
OWNED = [listing for listing in LISTS if listing.owner is not None]
FIELDS = [(listing, name) for listing in LISTS for name in listing.public]
OWNED_FIELDS = [(listing, name) for listing, name in FIELDS if listing in OWNED]

# Fields by which an admin finds rows of all users through an index. The statement timeout bounds all others.
FOUND_BY_INDEX = {
    "audit_log": {"actor_id", "resource_id"},
    "records": {"id", "user_id", "date"},
    "ledger": {"user_id"},
    "tasks": {"id", "user_id", "created_at"},
    "users": {"id", "email", "created_at"},
}
ORDERED_BY_INDEX = {"records": {"date"}, "tasks": {"created_at"}, "users": {"created_at"}}

FILL = (
    """INSERT INTO users (id, email, password_hash, role, balance)
       SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@example.com', '', 'client', n
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO records (id, user_id, operation_id, amount, user_balance, date, task_id, task_row)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, {owner}, n, n, now() - n * interval '1 minute',
              CASE WHEN n % 2 = 0 THEN {owner} END, CASE WHEN n % 2 = 0 THEN n END
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, date)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, 'grant', n, 0, n, '{{}}',
              now() - n * interval '1 minute'
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO tasks (id, user_id, filename, status, bytes_total, created_at)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, 'a' || n, 'queued', n, now() - n * interval '1 minute'
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO audit_log (id, actor_id, action, resource, resource_id)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, 'update', 'operation', {owner}
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO sessions (id, user_id, refresh_id, expires_at)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, gen_random_uuid(), now() + interval '1 day'
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO exports (id, user_id, owner, resource, format, query, rows_done, created_at)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, {owner}, 'records', 'csv', 'a' || n, n,
              now() - n * interval '1 minute'
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO api_keys (id, user_id, name, key_hash)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, 'a' || n, uuid_send(lpad(to_hex(n), 32, '0')::uuid)
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO webhooks (id, user_id, url, events, secret)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, 'a' || n, '{{task.failed}}', 'whsec_'
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO webhook_events (id, user_id, type, body)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, 'task.failed', '{{}}'
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO webhook_deliveries (id, user_id, webhook_id, event_id, type, deadline, created_at)
       SELECT lpad(to_hex(n), 32, '0')::uuid, {owner}, {owner}, lpad(to_hex(n), 32, '0')::uuid, 'task.failed',
              now(), now() - n * interval '1 minute'
       FROM generate_series(1, {rows}) n""",
)


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[str]:
    """Create a database with many rows of many owners. Return its name."""
    with database_with(
        server, "filled_lists", ROWS, lambda _: f"lpad(to_hex(n % {OWNERS} + 1), 32, '0')::uuid"
    ):
        yield "filled_lists"


@contextmanager
def database_with(server: Server, name: str, rows: int, owner_in: Callable[[str], str]) -> Iterator[None]:
    """Create a database whose tables have this number of rows.

    Args:
        owner_in: returns the SQL of the owner of a table's row number n.
    """
    server.maintenance.run(f"CREATE DATABASE {name} TEMPLATE {server.template}")
    with server.connect(name) as connection:
        for statement in FILL:
            table = statement.split()[2]
            connection.run(statement.format(rows=rows, owner=owner_in(table)))
        connection.run("VACUUM ANALYZE")
    yield
    server.maintenance.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def filled_database(server: Server, filled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the service use the filled database."""
    use(monkeypatch, server.url(filled))
    yield
    dispose_connections()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Callable[[Caller], Plans]:
    """Return a function that returns the plans of all statements that a list runs for a caller."""
    found, query = list[Plan](), Database.query

    def explain_and_query(database: Database, sql: str, parameters: dict[str, Any], name: str = "") -> Any:
        ((explanation,),) = (
            row.values() for row in query(database, f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
        )
        found.append(
            json.loads(explanation)[0]["Plan"] if isinstance(explanation, str) else explanation[0]["Plan"]
        )
        return query(database, sql, parameters)

    # Unprepared, a page has the plan that it has prepared, because the values are hidden from the planner.
    monkeypatch.setattr(Database, "query", explain_and_query)
    monkeypatch.setattr(Database, "prepared", explain_and_query)

    def of(caller: Caller) -> Plans:
        def run(listing: Listing, query: dict[str, str]) -> list[Plan]:
            found.clear()
            read_page(listing, urlencode(query), caller)
            return list(found)

        return run

    return of


CLIENT, ADMIN = Caller(ONE, "client"), Caller(ONE, "admin")


def value(kind: FieldType) -> str:
    """Return a filter value for a field of this type that matches few rows."""
    if kind.choices:
        return kind.choices[-1]
    if kind.python is datetime:
        return datetime(2000, 1, 1, tzinfo=UTC).isoformat()
    return {UUID: str(ONE), str: "7@example.com"}.get(kind.python, "7")


def queries_on(listing: Listing, name: str) -> Iterator[dict[str, str]]:
    """Yield every query on a field: each filter, and a sort in both directions."""
    kind = listing.public[name]
    for operator in ("", *(f"__{operator}" for operator in kind.operators)):
        yield {f"{name}{operator}": value(kind)}
    if kind.python is not object:
        yield from ({"sort": name}, {"sort": f"-{name}"})


@pytest.mark.parametrize(("listing", "name"), OWNED_FIELDS, ids=lambda one: getattr(one, "name", one))
def test_client_query_reads_only_the_clients_rows(
    plans: Callable[[Caller], Plans], listing: Listing, name: str
) -> None:
    for query in queries_on(listing, name):
        for plan in plans(CLIENT)(listing, query):
            assert rows_read(plan, listing.name) <= ROWS / OWNERS, query


@pytest.mark.parametrize(
    ("listing", "name"),
    [(listing, name) for listing, name in FIELDS if name in FOUND_BY_INDEX.get(listing.name, ())],
    ids=lambda one: getattr(one, "name", one),
)
def test_admin_filter_uses_an_index(plans: Callable[[Caller], Plans], listing: Listing, name: str) -> None:
    kind = listing.public[name]
    ways = [{name: value(kind)}]
    if kind.python is datetime:
        ways += [
            {f"{name}__lte": value(kind)},
            {f"{name}__gte": datetime(2100, 1, 1, tzinfo=UTC).isoformat()},
        ]
    for query in ways:
        for plan in plans(ADMIN)(listing, query):
            assert all(step["Node Type"] != "Seq Scan" for step in steps(plan)), query
            assert any(name in step.get("Index Cond", "") for step in steps(plan)), query


@pytest.mark.parametrize(
    ("listing", "name"),
    [(listing, name) for listing, name in FIELDS if name in ORDERED_BY_INDEX.get(listing.name, ())],
    ids=lambda one: getattr(one, "name", one),
)
@pytest.mark.parametrize("direction", ["", "-"])
def test_admin_sort_uses_an_index(
    plans: Callable[[Caller], Plans], listing: Listing, name: str, direction: str
) -> None:
    page = plans(ADMIN)(listing, {"sort": f"{direction}{name}"})[0]
    assert is_in_index_order(page)


@pytest.mark.parametrize(
    ("listing", "caller"),
    [
        *((listing, caller) for listing in OWNED if listing.admins_see_all for caller in (CLIENT, ADMIN)),
        (lists.USERS, ADMIN),
        (lists.AUDIT_LOG, ADMIN),
    ],
    ids=lambda one: one.name if isinstance(one, Listing) else one.role,
)
def test_newest_rows_are_read_in_index_order_on_any_page(
    plans: Callable[[Caller], Plans], listing: Listing, caller: Caller
) -> None:
    cursor = Reader(caller).page(listing)["next_cursor"]
    newest = ",".join(f"-{name}" for name in listing.newest[:-1])
    for query in ({}, {"sort": newest} if newest else {}, {"cursor": cursor}):
        page = plans(caller)(listing, query)[0]
        assert is_in_index_order(page), query


@pytest.mark.parametrize("caller", [CLIENT, ADMIN], ids=lambda one: one.role)
def test_search_reads_its_window_in_index_order_whether_or_not_it_finds_something(
    plans: Callable[[Caller], Plans], monkeypatch: pytest.MonkeyPatch, caller: Caller
) -> None:
    window = 50
    monkeypatch.setattr(read_page_module, "SEARCH_WINDOW", window)
    cursor = Reader(caller).page(lists.RECORDS)["next_cursor"]
    for text in ("absent", "addition"):
        for query in ({"search": text}, {"search": text, "cursor": cursor}):
            for plan in plans(caller)(lists.RECORDS, query):
                assert rows_read(plan, "records") <= 2 * window, (query, plan)


@pytest.mark.parametrize("caller", [CLIENT, ADMIN], ids=lambda one: one.role)
@pytest.mark.parametrize(
    ("resource", "filters"),
    [("records", ""), ("records", "amount=-1"), ("records", "date__lt=2100-01-01"), ("ledger", "amount=-1")],
)
def test_each_statement_of_an_export_reads_one_window(
    server: Server, filled: str, monkeypatch: pytest.MonkeyPatch, caller: Caller, resource: str, filters: str
) -> None:
    window, read, query = 40, list[int](), database.query
    row = {"resource": resource, "query": filters, "owner": caller.visible_owner}
    shape, values = exports._list_query(LISTINGS[resource], row)

    def explain(sql: str) -> None:
        ((plan,),) = connection.run(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        read.append(rows_read(plan[0]["Plan"], resource))

    def explain_and_query(sql: str, parameters: dict[str, Any]) -> list[Row]:
        explain(exports._with_literals(sql, parameters))
        return query(sql, parameters)

    def copy_out(sql: str, _: object) -> int:
        explain(sql[len("COPY (") : sql.rindex(") TO STDOUT")])
        return 0

    monkeypatch.setattr(exports, "ROWS_AT_ONCE", window)
    monkeypatch.setattr(exports.database, "query", explain_and_query)
    monkeypatch.setattr(exports.database, "copy_out", copy_out)
    listing, position = LISTINGS[resource], None
    with server.connect(filled) as connection:
        for _ in range(2):
            end = exports._window_end(listing, shape, values, position)
            exports._copy(
                listing, shape, values, "csv", position, end, S3ObjectWriter.__new__(S3ObjectWriter)
            )
            position = end
    assert max(read) <= 2 * window, read
    assert len(read) == 4


def test_history_of_a_price_is_read_in_index_order(plans: Callable[[Caller], Plans]) -> None:
    query = {"resource": "operation", "resource_id": str(ONE)}
    page = plans(ADMIN)(lists.AUDIT_LOG, query)[0]
    assert all(step["Node Type"] not in ("Seq Scan", "Sort") for step in steps(page))
    assert any("resource_id" in step.get("Index Cond", "") for step in steps(page))


@pytest.fixture
def slow_percentage(server: Server, filled: str) -> Iterator[None]:
    """Make task_percentage take a millisecond, so that counting many rows is slow."""
    with server.connect(filled) as connection:
        ((written,),) = connection.run("SELECT pg_get_functiondef('task_percentage'::regproc)")
        connection.run(
            "CREATE OR REPLACE FUNCTION task_percentage(status text, done bigint, total bigint)"
            " RETURNS numeric LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN 50; END'"
        )
        yield
        connection.run(written)


@pytest.mark.usefixtures("slow_percentage")
def test_page_is_returned_even_if_counting_times_out(server: Server, filled: str) -> None:
    query = {"percentage": 50, "page_size": 3}
    with database.statement_timeout(0.5):
        page = Reader(ADMIN).page(lists.TASKS, **query)
        after = Reader(ADMIN).page(lists.TASKS, **query, cursor=page["next_cursor"])
    assert len(page["tasks"]) == 3
    assert {name: page[name] for name in ("total", "total_relation", "total_pages")} == {
        "total": 4,
        "total_relation": "gte",
        "total_pages": 2,
    }
    assert len(after["tasks"]) == 3


@pytest.mark.usefixtures("slow_percentage")
def test_slow_page_is_not_counted(server: Server, filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_page_module, "COUNT_AFTER", 0.002)
    page = Reader(ADMIN).page(lists.TASKS, percentage=50, page_size=3)
    assert (page["total"], page["total_relation"]) == (4, "gte")


def test_list_that_times_out_raises_invalid_input_at_the_query(server: Server, filled: str) -> None:
    with server.connect(filled) as another:
        another.run("BEGIN")
        another.run("LOCK TABLE records IN ACCESS EXCLUSIVE MODE")
        with database.statement_timeout(0.2), pytest.raises(InvalidInput) as caught:
            Reader(ADMIN).page(lists.RECORDS, sort="amount")
    assert PROBLEMS[type(caught.value)].status == 422
    assert caught.value.errors[0]["pointer"] == "#/query"
