"""The one connection: lost, refused, slow, stale, and always back by itself."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
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
from tests.support.eventually import eventually
from tests.support.users import Person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]


@pytest.fixture
def connection(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def backend(connection: Database) -> int:
    ((row),) = connection.query("SELECT pg_backend_pid() AS pid", {})
    return int(row["pid"])


def test_one_connection_serves_all_statements(connection: Database) -> None:
    first = backend(connection)
    connection.run("health")
    assert backend(connection) == first


def test_nothing_connects_before_the_first_statement() -> None:
    Database("postgresql://nobody@/nothing?host=/nowhere")


def test_a_statement_is_prepared_once_a_connection(connection: Database, sql: Sql) -> None:
    for _ in range(3):
        connection.run("health")
    prepared = connection.query("SELECT statement FROM pg_prepared_statements", {})
    assert sum("SELECT 1 AS ok" in row["statement"] for row in prepared) == 1


def test_a_connection_that_the_server_ended_is_replaced_unnoticed(connection: Database, sql: Sql) -> None:
    lost = backend(connection)
    sql("SELECT pg_terminate_backend(:pid)", pid=lost)
    eventually(lambda: not sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=lost))
    assert connection.run("health") == [{"ok": 1}]
    assert backend(connection) != lost


def test_a_connection_that_idled_is_tried_before_it_is_used(
    connection: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[socket.socket]()
    open_socket = PostgresUrl.open_socket

    def noted(url: PostgresUrl, timeout: float) -> socket.socket:
        opened.append(open_socket(url, timeout))
        return opened[-1]

    monkeypatch.setattr(PostgresUrl, "open_socket", noted)
    monkeypatch.setattr(database_module, "IDLE_LIMIT", 0.0)
    first = backend(connection)
    assert backend(connection) == first
    # The network dropped the connection while the process was frozen, so no end of the stream arrived.
    opened[-1].shutdown(socket.SHUT_RDWR)
    assert connection.run("health") == [{"ok": 1}]


def test_a_connection_lost_in_a_transaction_fails_it_and_the_next_one_works(
    connection: Database, sql: Sql
) -> None:
    connection.begin()
    lost = backend(connection)
    sql("SELECT pg_terminate_backend(:pid)", pid=lost)
    eventually(lambda: not sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=lost))
    with pytest.raises(ServiceUnavailable):
        connection.run("health")
    assert not connection.in_transaction
    assert connection.run("health") == [{"ok": 1}]


def test_a_server_that_restarts_is_found_again_without_help() -> None:
    with TemporaryDirectory(prefix="restcalculator-") as folder, ExitStack() as exits:
        postgres = Postgres(Path(folder) / "postgres")
        postgres.start()
        exits.callback(lambda: postgres.stop())
        database = Database(postgres.url)
        exits.callback(database.dispose)
        assert database.query("SELECT 1 AS one", {}) == [{"one": 1}]
        postgres.stop()
        with pytest.raises(ServiceUnavailable) as caught:
            database.query("SELECT 1 AS one", {})
        assert caught.value.retry_after > 0
        postgres = Postgres(Path(folder) / "postgres")
        postgres.start()
        assert database.query("SELECT 2 AS one", {}) == [{"one": 2}]


def test_a_server_that_is_nowhere_is_unavailable_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    urls = [f"postgresql://127.0.0.1:{port}/x", "postgresql://postgres@/x?host=/nowhere"]
    for url in urls:
        started = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            Database(url).run("health")
        assert time.monotonic() - started < 2


def test_a_name_that_resolves_to_nothing_is_unavailable() -> None:
    with pytest.raises(ServiceUnavailable):
        Database("postgresql://database.invalid/x").run("health")


def test_a_server_that_never_answers_is_unavailable_within_the_timeouts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            Database(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x", statement_timeout=0.2).run(
                "health"
            )
        assert time.monotonic() - started < 3


def test_all_timeouts_together_end_before_the_function_does() -> None:
    limits = ("PROBE_TIMEOUT", "CONNECT_TIMEOUT", "STATEMENT_TIMEOUT", "GRACE_PERIOD")
    together = sum(getattr(database_module, name) for name in limits)
    service = Service.load(ROOT / "serverless.yml", {})
    assert all(together < route.function.timeout for route in service.routes)


def test_a_slow_statement_is_ended_by_the_server_and_the_connection_goes_on(database_url: str) -> None:
    database = Database(database_url, statement_timeout=0.2)
    pid = backend(database)
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable) as caught:
        database.query("SELECT pg_sleep(30)", {})
    assert time.monotonic() - started < 5
    assert caught.value.retry_after > 0
    assert backend(database) == pid
    database.dispose()


def test_a_lock_that_is_held_too_long_is_unavailable_and_changes_nothing(
    database_url: str, client: Person, sql: Sql
) -> None:
    impatient = Database(database_url, statement_timeout=0.2)
    with UnitOfWork() as uow:
        uow.query("SELECT 1 FROM users WHERE id = :id FOR UPDATE", {"id": client.id})
        with pytest.raises(ServiceUnavailable):
            impatient.run("delete_user", id=client.id)
    assert sql("SELECT 1 FROM users WHERE id = :id AND deleted_at IS NULL", id=client.id)
    impatient.dispose()


def test_a_deadlock_is_unavailable_for_one_and_done_for_the_other(client: Person, admin: Person) -> None:
    lock = "SELECT 1 FROM users WHERE id = :id FOR UPDATE"
    both, outcomes = threading.Barrier(2), list[str]()

    def run(first: Person, second: Person) -> None:
        with UnitOfWork() as uow:
            uow.query(lock, {"id": first.id})
            both.wait(10)
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
        thread.join(20)
    assert sorted(outcomes) == ["done", "unavailable"]


def price(name: str, statements: Statements = database) -> None:
    statements.one("create_operation", id=uuid7(), type=name, cost=1)


def priced(sql: Sql) -> list[str]:
    return [name for (name,) in sql("SELECT type FROM operations WHERE type LIKE 'test%' ORDER BY type")]


INSERT = "INSERT INTO operations (id, type, cost) VALUES (gen_random_uuid(), 'test', 1) RETURNING type"
METHODS: dict[str, Callable[[UnitOfWork], object]] = {
    "run": lambda uow: uow.run("create_operation", id=uuid7(), type="test", cost=1),
    "one": lambda uow: uow.one("create_operation", id=uuid7(), type="test", cost=1),
    "only": lambda uow: uow.only("create_operation", id=uuid7(), type="test", cost=1),
    "query": lambda uow: uow.query(INSERT, {}),
    "copy_in": lambda uow: uow.copy_in(
        "COPY operations (id, type, cost) FROM STDIN", [f"{uuid7()}\ttest\t1\n".encode()]
    ),
}
"""How each method of a unit of work can change something."""


def test_the_methods_are_all_that_a_unit_of_work_offers() -> None:
    offered = {name for name in vars(UnitOfWork) if not name.startswith("_")}
    assert offered == {*METHODS, "commit"}


@pytest.mark.parametrize("method", METHODS)
def test_a_unit_of_work_keeps_nothing_without_a_commit(sql: Sql, method: str) -> None:
    with UnitOfWork() as uow:
        METHODS[method](uow)
    assert priced(sql) == []


@pytest.mark.parametrize("method", METHODS)
def test_an_error_rolls_a_unit_of_work_back(sql: Sql, method: str) -> None:
    with suppress(RuntimeError), UnitOfWork() as uow:
        METHODS[method](uow)
        raise RuntimeError
    assert priced(sql) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_commit_keeps_all_that_a_unit_of_work_did(sql: Sql, method: str) -> None:
    with UnitOfWork() as uow:
        price("test 1", uow)
        METHODS[method](uow)
        uow.commit()
    assert priced(sql) == ["test", "test 1"]


@pytest.mark.parametrize("method", METHODS)
def test_a_unit_of_work_ends_with_its_commit(sql: Sql, method: str) -> None:
    with UnitOfWork() as uow:
        uow.commit()
        with pytest.raises(RuntimeError, match="has ended"):
            METHODS[method](uow)
        with pytest.raises(RuntimeError, match="has ended"):
            uow.commit()
    assert priced(sql) == []


def test_a_single_statement_is_its_own_transaction(sql: Sql) -> None:
    price("test 1")
    assert priced(sql) == ["test 1"]


def test_a_single_statement_cannot_slip_out_of_a_unit_of_work(sql: Sql) -> None:
    with UnitOfWork() as uow:
        price("test 1", uow)
        with pytest.raises(RuntimeError, match="A unit of work is open"):
            price("test 2")
        with pytest.raises(RuntimeError, match="A unit of work is open"), UnitOfWork():
            pass
        uow.commit()
    price("test 3")
    assert priced(sql) == ["test 1", "test 3"]


def test_a_statement_that_fails_rolls_its_unit_of_work_back_and_the_connection_works_on(sql: Sql) -> None:
    with UnitOfWork() as uow:
        price("test 1", uow)
        with pytest.raises(Conflict):
            price("addition", uow)
        with pytest.raises(RuntimeError, match="has ended"):
            uow.commit()
    price("test 2")
    assert priced(sql) == ["test 2"]


def test_only_the_database_package_reaches_the_driver_and_its_connection() -> None:
    reach = re.compile(r"^(from|import) pg8000|import .*\bDatabase\b|kept_connection|\._database\b", re.M)
    shipped = [path for room in ("functions", "shared", "worker") for path in (ROOT / room).rglob("*.py")]
    inside = ROOT / "shared" / "database"
    found = [path for path in shipped if reach.search(path.read_text("utf-8"))]
    assert [path for path in found if inside not in path.parents] == []
    assert found, "the pattern finds nothing any more"


def test_a_stale_prepared_statement_is_prepared_anew(connection: Database, sql: Sql) -> None:
    assert connection.run("prices")
    sql("DROP FUNCTION operation_json(operations)")  # Postgres alters no column that a function's body names
    sql("ALTER TABLE operations ALTER COLUMN type TYPE varchar(100)")
    assert {row["type"] for row in connection.run("prices")} >= {"addition"}
    connection.query("DEALLOCATE ALL", {})
    assert {row["type"] for row in connection.run("prices")} >= {"addition"}


def test_a_violated_constraint_is_the_domain_error_of_its_name() -> None:
    with pytest.raises(Conflict, match="already has a price"):
        price("addition")


def test_an_unforeseen_error_tells_its_code_and_no_value() -> None:
    with pytest.raises(InternalError) as caught:
        database.one("create_operation", id=uuid7(), type="hunter2", cost=-1)
    assert "operations_cost_check" in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "call",
    [
        lambda: price("a\0b"),
        lambda: database.one("create_operation", id=uuid7(), type="x", cost=10**30),
    ],
    ids=["a NUL in text", "a number past numeric's range"],
)
def test_what_postgres_cant_hold_is_invalid_input(call: Callable[[], None]) -> None:
    with pytest.raises(InvalidInput):
        call()
    price("test")


def test_every_error_of_the_driver_is_a_domain_error() -> None:
    for statement in ("SELECT 1 / 0", "SELECT nothing", "SELEC", "SELECT CAST('x' AS uuid)"):
        with pytest.raises(DomainError):
            database.query(statement, {})
    assert database.run("health") == [{"ok": 1}]


def test_a_dispose_before_a_snapshot_leaves_a_connection_to_be_made_after(connection: Database) -> None:
    first = backend(connection)
    connection.dispose()
    connection.dispose()
    assert backend(connection) != first


def test_the_socket_does_not_wait_to_fill_a_packet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = PostgresUrl.parse(f"postgresql://127.0.0.1:{listening.getsockname()[1]}/x")
        with url.open_socket(5) as opened:
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_connection_is_left_unpinned(connection: Database, sql: Sql) -> None:
    connection.run("health")
    settings = connection.query("SELECT name FROM pg_settings WHERE source = 'session'", {})
    assert settings == [], "SET pins a connection of RDS Proxy; a startup parameter does not"
