"""The database connection: it recovers from loss, timeouts and stale statements."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.environment import ROOT
from deploy.serverless_file import Service
from localstack.postgres import Postgres
from shared import database
from shared.database import Statements, UnitOfWork
from shared.database import connection as database_module
from shared.database.connection import Database
from shared.database.url import PostgresUrl
from shared.errors import Conflict, DomainError, InternalError, InvalidInput, ServiceUnavailable
from shared.ids import uuid7
from tests.support.data_folder import data_folder
from tests.support.eventually import eventually
from tests.support.users import Person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


@pytest.fixture
def connection(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


def backend(connection: Database) -> int:
    ((row),) = connection.query("SELECT pg_backend_pid() AS pid", {})
    return int(row["pid"])


def test_one_connection_runs_all_statements(connection: Database) -> None:
    first = backend(connection)
    connection.run("health")
    assert backend(connection) == first


def test_database_does_not_connect_before_the_first_statement() -> None:
    Database("postgresql://nobody@/nothing?host=/nowhere")


def test_statement_is_prepared_once_per_connection(connection: Database, sql: Sql) -> None:
    for _ in range(3):
        connection.run("health")
    prepared = connection.query("SELECT statement FROM pg_prepared_statements", {})
    assert sum("SELECT 1 AS ok" in row["statement"] for row in prepared) == 1


def test_connection_closed_by_the_server_is_replaced_transparently(connection: Database, sql: Sql) -> None:
    lost = backend(connection)
    sql("SELECT pg_terminate_backend(:pid)", pid=lost)
    eventually(lambda: not sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=lost))
    assert connection.run("health") == [{"ok": 1}]
    assert backend(connection) != lost


def test_idle_connection_is_probed_before_use(
    connection: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[socket.socket]()
    open_socket = PostgresUrl.open_socket

    def recording_open_socket(url: PostgresUrl, timeout: float) -> socket.socket:
        opened.append(open_socket(url, timeout))
        return opened[-1]

    monkeypatch.setattr(PostgresUrl, "open_socket", recording_open_socket)
    monkeypatch.setattr(database_module, "IDLE_LIMIT", 0.0)
    first = backend(connection)
    assert backend(connection) == first
    # Simulate a network that dropped the connection while the process was frozen, without an end of stream.
    opened[-1].shutdown(socket.SHUT_RDWR)
    assert connection.run("health") == [{"ok": 1}]


def test_connection_lost_in_a_transaction_fails_the_transaction_only(connection: Database, sql: Sql) -> None:
    connection.begin()
    lost = backend(connection)
    sql("SELECT pg_terminate_backend(:pid)", pid=lost)
    eventually(lambda: not sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=lost))
    with pytest.raises(ServiceUnavailable):
        connection.run("health")
    assert not connection.in_transaction
    assert connection.run("health") == [{"ok": 1}]


def test_database_reconnects_after_a_restart_of_the_server() -> None:
    with data_folder("empty") as folder, ExitStack() as exits:
        postgres = Postgres(folder / "postgres")
        postgres.start()
        exits.callback(lambda: postgres.stop())
        database = Database(postgres.url)
        exits.callback(database.dispose)
        assert database.query("SELECT 1 AS one", {}) == [{"one": 1}]
        postgres.stop()
        with pytest.raises(ServiceUnavailable) as caught:
            database.query("SELECT 1 AS one", {})
        assert caught.value.retry_after > 0
        postgres = Postgres(folder / "postgres")
        postgres.start()
        assert database.query("SELECT 2 AS one", {}) == [{"one": 2}]


def test_unreachable_server_raises_service_unavailable_before_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT", 600)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    urls = [f"postgresql://127.0.0.1:{port}/x", "postgresql://postgres@/x?host=/nowhere"]
    started = time.monotonic()
    for url in urls:
        with pytest.raises(ServiceUnavailable):
            Database(url).run("health")
    assert time.monotonic() - started < database_module.CONNECT_TIMEOUT


def test_unresolvable_host_raises_service_unavailable() -> None:
    with pytest.raises(ServiceUnavailable):
        Database("postgresql://database.invalid/x").run("health")


def test_unresponsive_server_raises_service_unavailable_within_the_timeouts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT", 0.2)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ServiceUnavailable):
        Database(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x", statement_timeout=0.2).run("health")
    assert time.monotonic() - started < database_module.STATEMENT_TIMEOUT


def test_sum_of_all_timeouts_is_below_the_timeout_of_every_function() -> None:
    limits = ("PROBE_TIMEOUT", "CONNECT_TIMEOUT", "STATEMENT_TIMEOUT", "GRACE_PERIOD")
    together = sum(getattr(database_module, name) for name in limits)
    service = Service.load(ROOT / "serverless.yml", {})
    assert all(together < route.function.timeout for route in service.routes)


def test_server_cancels_a_slow_statement_and_the_connection_stays_usable(database_url: str) -> None:
    database = Database(database_url, statement_timeout=0.2)
    pid = backend(database)
    with pytest.raises(ServiceUnavailable) as caught:
        database.query("SELECT pg_sleep(60)", {})
    assert caught.value.retry_after > 0
    assert backend(database) == pid
    database.dispose()


def test_lock_timeout_raises_service_unavailable_and_changes_nothing(
    database_url: str, client: Person, sql: Sql
) -> None:
    database = Database(database_url, statement_timeout=0.2)
    with UnitOfWork() as uow:
        uow.query("SELECT 1 FROM users WHERE id = :id FOR UPDATE", {"id": client.id})
        with pytest.raises(ServiceUnavailable):
            database.run("delete_user", id=client.id, admin_id=uuid7(), audit_id=uuid7())
    assert sql("SELECT 1 FROM users WHERE id = :id AND deleted_at IS NULL", id=client.id)
    database.dispose()


def test_deadlock_raises_service_unavailable_in_one_of_the_transactions(
    client: Person, admin: Person
) -> None:
    lock = "SELECT 1 FROM users WHERE id = :id FOR UPDATE"
    both, outcomes = threading.Barrier(2), list[str]()

    def run(first: Person, second: Person) -> None:
        with UnitOfWork() as uow:
            uow.query(lock, {"id": first.id})
            both.wait(60)
            try:
                uow.query(lock, {"id": second.id})
                uow.commit()
                outcomes.append("done")
            except ServiceUnavailable:
                outcomes.append("unavailable")

    threads = [threading.Thread(target=run, args=pair) for pair in ((client, admin), (admin, client))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["done", "unavailable"]


def create_price(name: str, statements: Statements = database) -> None:
    statements.one("create_operation", id=uuid7(), type=name, cost=1, admin_id=None, audit_id=uuid7())


def stored_test_prices(sql: Sql) -> list[str]:
    return [name for (name,) in sql("SELECT type FROM operations WHERE type LIKE 'test%' ORDER BY type")]


INSERT = "INSERT INTO operations (id, type, cost) VALUES (gen_random_uuid(), 'test', 1) RETURNING type"
METHODS: dict[str, Callable[[UnitOfWork], object]] = {
    "run": lambda uow: uow.run(
        "create_operation", id=uuid7(), type="test", cost=1, admin_id=None, audit_id=uuid7()
    ),
    "one": lambda uow: uow.one(
        "create_operation", id=uuid7(), type="test", cost=1, admin_id=None, audit_id=uuid7()
    ),
    "only": lambda uow: uow.only(
        "create_operation", id=uuid7(), type="test", cost=1, admin_id=None, audit_id=uuid7()
    ),
    "query": lambda uow: uow.query(INSERT, {}),
    "copy_in": lambda uow: uow.copy_in(
        "COPY operations (id, type, cost) FROM STDIN", [f"{uuid7()}\ttest\t1\n".encode()]
    ),
}
"""A data change by each method of a unit of work."""


def test_unit_of_work_has_exactly_the_tested_methods() -> None:
    offered = {name for name in vars(UnitOfWork) if not name.startswith("_")}
    assert offered == {*METHODS, "commit"}


@pytest.mark.parametrize("method", METHODS)
def test_unit_of_work_rolls_back_without_a_commit(sql: Sql, method: str) -> None:
    with UnitOfWork() as uow:
        METHODS[method](uow)
    assert stored_test_prices(sql) == []


@pytest.mark.parametrize("method", METHODS)
def test_unit_of_work_rolls_back_after_an_error(sql: Sql, method: str) -> None:
    with suppress(RuntimeError), UnitOfWork() as uow:
        METHODS[method](uow)
        raise RuntimeError
    assert stored_test_prices(sql) == []


@pytest.mark.parametrize("method", METHODS)
def test_commit_keeps_all_changes_of_a_unit_of_work(sql: Sql, method: str) -> None:
    with UnitOfWork() as uow:
        create_price("test 1", uow)
        METHODS[method](uow)
        uow.commit()
    assert stored_test_prices(sql) == ["test", "test 1"]


@pytest.mark.parametrize("method", METHODS)
def test_unit_of_work_cannot_be_used_after_its_commit(sql: Sql, method: str) -> None:
    with UnitOfWork() as uow:
        uow.commit()
        with pytest.raises(RuntimeError, match="has ended"):
            METHODS[method](uow)
        with pytest.raises(RuntimeError, match="has ended"):
            uow.commit()
    assert stored_test_prices(sql) == []


def test_single_statement_is_its_own_transaction(sql: Sql) -> None:
    create_price("test 1")
    assert stored_test_prices(sql) == ["test 1"]


def test_single_statement_is_rejected_while_a_unit_of_work_is_open(sql: Sql) -> None:
    with UnitOfWork() as uow:
        create_price("test 1", uow)
        with pytest.raises(RuntimeError, match="A unit of work is open"):
            create_price("test 2")
        with pytest.raises(RuntimeError, match="A unit of work is open"), UnitOfWork():
            pass
        uow.commit()
    create_price("test 3")
    assert stored_test_prices(sql) == ["test 1", "test 3"]


def test_failed_statement_rolls_back_its_unit_of_work_and_the_connection_stays_usable(sql: Sql) -> None:
    with UnitOfWork() as uow:
        create_price("test 1", uow)
        with pytest.raises(Conflict):
            create_price("addition", uow)
        with pytest.raises(RuntimeError, match="has ended"):
            uow.commit()
    create_price("test 2")
    assert stored_test_prices(sql) == ["test 2"]


def test_only_the_database_package_uses_the_driver() -> None:
    reach = re.compile(r"^(from|import) pg8000|import .*\bDatabase\b|kept_connection|\._database\b", re.M)
    shipped = [path for folder in ("functions", "shared", "worker") for path in (ROOT / folder).rglob("*.py")]
    inside = ROOT / "shared" / "database"
    found = [path for path in shipped if reach.search(path.read_text("utf-8"))]
    assert [path for path in found if inside not in path.parents] == []
    assert found, "the pattern matches nothing any more"


def test_stale_prepared_statement_is_prepared_again(connection: Database, sql: Sql) -> None:
    assert connection.run("prices")
    # Postgres cannot alter a column that a function uses.
    sql("DROP FUNCTION operation_json(operations), record_json(records)")
    sql("ALTER TABLE operations ALTER COLUMN type TYPE varchar(100)")
    assert {row["type"] for row in connection.run("prices")} >= {"addition"}
    connection.query("DEALLOCATE ALL", {})
    assert {row["type"] for row in connection.run("prices")} >= {"addition"}


def test_violated_constraint_raises_its_domain_error() -> None:
    with pytest.raises(Conflict, match="already has a price"):
        create_price("addition")


def test_unexpected_error_contains_its_code_but_no_values() -> None:
    with pytest.raises(InternalError) as caught:
        database.one("create_operation", id=uuid7(), type="hunter2", cost=-1, admin_id=None, audit_id=uuid7())
    assert "operations_cost_check" in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "call",
    [
        lambda: create_price("a\0b"),
        lambda: database.one(
            "create_operation", id=uuid7(), type="x", cost=10**30, admin_id=None, audit_id=uuid7()
        ),
    ],
    ids=["a NUL in text", "a number past numeric's range"],
)
def test_value_that_postgres_cannot_store_raises_invalid_input(call: Callable[[], None]) -> None:
    with pytest.raises(InvalidInput):
        call()
    create_price("test")


def test_every_driver_error_becomes_a_domain_error() -> None:
    for statement in ("SELECT 1 / 0", "SELECT nothing", "SELEC", "SELECT CAST('x' AS uuid)"):
        with pytest.raises(DomainError):
            database.query(statement, {})
    assert database.run("health") == [{"ok": 1}]


def test_query_returns_every_row_whatever_its_size(connection: Database) -> None:
    text = "CASE WHEN n % 7 > 0 THEN repeat('x', n * 37 % 20000) END"
    sql = f"SELECT n, {text} AS text FROM generate_series(1, 3000) n"
    rows = [{"n": n, "text": "x" * (n * 37 % 20000) if n % 7 else None} for n in range(1, 3001)]
    assert connection.query(sql, {}) == rows


def test_copy_out_writes_every_row_whatever_its_size(connection: Database) -> None:
    sizes = [number * 37 % 20_011 for number in range(1, 3001)]
    sink = BytesIO()
    rows = connection.copy_out(
        "COPY (SELECT repeat('x', n * 37 % 20011) || n FROM generate_series(1, 3000) n) TO STDOUT", sink
    )
    assert rows == 3000
    assert sink.getvalue().decode().split() == [f"{'x' * size}{n}" for n, size in enumerate(sizes, 1)]


def test_copy_out_writes_small_rows_together(connection: Database) -> None:
    writes = list[bytes]()
    sink = SimpleNamespace(write=writes.append)
    assert connection.copy_out("COPY (SELECT generate_series(1, 3000)) TO STDOUT", sink) == 3000
    assert len(writes) < 100


def test_copy_out_that_fails_midway_raises_and_the_connection_stays_usable(connection: Database) -> None:
    with pytest.raises(InternalError, match="22012"):
        connection.copy_out(
            "COPY (SELECT 1 / (1000 - n) FROM generate_series(1, 3000) n) TO STDOUT", BytesIO()
        )
    assert connection.run("health") == [{"ok": 1}]


def test_database_reconnects_after_dispose(connection: Database) -> None:
    first = backend(connection)
    connection.dispose()
    connection.dispose()
    assert backend(connection) != first


def test_socket_disables_the_nagle_algorithm() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = PostgresUrl.parse(f"postgresql://127.0.0.1:{listening.getsockname()[1]}/x")
        with url.open_socket(5) as opened:
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connection_is_not_pinned_by_session_settings(connection: Database, sql: Sql) -> None:
    connection.run("health")
    settings = connection.query("SELECT name FROM pg_settings WHERE source = 'session'", {})
    assert settings == [], "SET pins a connection of RDS Proxy; a startup parameter does not"
