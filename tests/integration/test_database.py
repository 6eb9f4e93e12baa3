"""The one connection: lost, refused, slow, stale, and always back by itself."""

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
from shared.database import connection as database_module
from shared.database.connection import Database
from shared.database.unit_of_work import UnitOfWork
from shared.database.url import PostgresUrl
from shared.errors import Conflict, DomainError, InternalError, InvalidInput, ServiceUnavailable
from shared.ids import uuid7
from tests.support.eventually import eventually
from tests.support.users import Person

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def backend(database: Database) -> int:
    ((row),) = database.query("SELECT pg_backend_pid() AS pid", {})
    return int(row["pid"])


def test_one_connection_serves_all_statements(database: Database) -> None:
    first = backend(database)
    database.run("health")
    assert backend(database) == first


def test_nothing_connects_before_the_first_statement() -> None:
    Database("postgresql://nobody@/nothing?host=/nowhere")


def test_a_statement_is_prepared_once_a_connection(database: Database, sql: Sql) -> None:
    for _ in range(3):
        database.run("health")
    prepared = database.query("SELECT statement FROM pg_prepared_statements", {})
    assert sum("SELECT 1 AS ok" in row["statement"] for row in prepared) == 1


def test_a_connection_that_the_server_ended_is_replaced_unnoticed(database: Database, sql: Sql) -> None:
    lost = backend(database)
    sql("SELECT pg_terminate_backend(:pid)", pid=lost)
    eventually(lambda: not sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=lost))
    assert database.run("health") == [{"ok": 1}]
    assert backend(database) != lost


def test_a_connection_that_idled_is_tried_before_it_is_used(
    database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[socket.socket]()
    open_socket = PostgresUrl.open_socket

    def noted(url: PostgresUrl, timeout: float) -> socket.socket:
        opened.append(open_socket(url, timeout))
        return opened[-1]

    monkeypatch.setattr(PostgresUrl, "open_socket", noted)
    monkeypatch.setattr(database_module, "IDLE_LIMIT", 0.0)
    first = backend(database)
    assert backend(database) == first
    # Frozen and cut off meanwhile: no farewell arrived, and the next byte finds nobody.
    opened[-1].shutdown(socket.SHUT_RDWR)
    assert database.run("health") == [{"ok": 1}]


def test_a_connection_lost_in_a_transaction_fails_it_and_the_next_one_works(
    database: Database, sql: Sql
) -> None:
    database.begin()
    lost = backend(database)
    sql("SELECT pg_terminate_backend(:pid)", pid=lost)
    eventually(lambda: not sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=lost))
    with pytest.raises(ServiceUnavailable):
        database.run("health")
    assert not database.in_transaction
    assert database.run("health") == [{"ok": 1}]


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
    limits = ("PROBE_TIMEOUT", "CONNECT_TIMEOUT", "STATEMENT_TIMEOUT", "SILENCE_MARGIN")
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
    database_url: str, uow: UnitOfWork, client: Person, sql: Sql
) -> None:
    impatient = Database(database_url, statement_timeout=0.2)
    uow.begin()
    uow.database.query("SELECT 1 FROM users WHERE id = :id FOR UPDATE", {"id": client.id})
    with pytest.raises(ServiceUnavailable):
        impatient.run("delete_user", id=client.id)
    uow.database.rollback()
    assert sql("SELECT 1 FROM users WHERE id = :id AND deleted_at IS NULL", id=client.id)
    impatient.dispose()


def test_a_deadlock_is_unavailable_for_one_and_done_for_the_other(
    another_uow: AnotherUow, uow: UnitOfWork, client: Person, admin: Person
) -> None:
    lock = "SELECT 1 FROM users WHERE id = :id FOR UPDATE"
    both, outcomes = threading.Barrier(2), list[str]()

    def run(first: Person, second: Person) -> None:
        with another_uow() as unit:
            unit.begin()
            unit.database.query(lock, {"id": first.id})
            both.wait(10)
            try:
                unit.database.query(lock, {"id": second.id})
                unit.commit()
                outcomes.append("done")
            except ServiceUnavailable:
                outcomes.append("unavailable")

    threads = [threading.Thread(target=run, args=pair) for pair in ((client, admin), (admin, client))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["done", "unavailable"]


def price(uow: UnitOfWork, name: str) -> None:
    uow.one("create_operation", id=uuid7(), type=name, cost=1)


def priced(sql: Sql) -> list[str]:
    return [name for (name,) in sql("SELECT type FROM operations WHERE type LIKE 'test%' ORDER BY type")]


def test_what_is_not_committed_is_rolled_back(uow: UnitOfWork, sql: Sql) -> None:
    with uow:
        uow.begin()
        price(uow, "test 1")
    with suppress(RuntimeError), uow:
        uow.begin()
        price(uow, "test 2")
        raise RuntimeError
    with uow:
        uow.begin()
        price(uow, "test 3")
        price(uow, "test 4")
        uow.commit()
    with uow:
        price(uow, "test 5")
    assert priced(sql) == ["test 3", "test 4", "test 5"]


def test_a_statement_that_fails_undoes_its_transaction_and_the_connection_goes_on(
    uow: UnitOfWork, sql: Sql
) -> None:
    with uow:
        uow.begin()
        price(uow, "test 1")
        with pytest.raises(Conflict):
            price(uow, "addition")
    price(uow, "test 2")
    assert priced(sql) == ["test 2"]


def test_a_stale_prepared_statement_is_prepared_anew(database: Database, sql: Sql) -> None:
    assert database.run("prices")
    sql("DROP FUNCTION operation_json(operations)")  # Postgres alters no column that a function's body names
    sql("ALTER TABLE operations ALTER COLUMN type TYPE varchar(100)")
    assert {row["type"] for row in database.run("prices")} >= {"addition"}
    database.query("DEALLOCATE ALL", {})
    assert {row["type"] for row in database.run("prices")} >= {"addition"}


def test_a_violated_constraint_is_the_domain_error_of_its_name(uow: UnitOfWork) -> None:
    with pytest.raises(Conflict, match="price already"):
        price(uow, "addition")


def test_an_unforeseen_error_tells_its_code_and_no_value(uow: UnitOfWork) -> None:
    with pytest.raises(InternalError) as caught:
        uow.one("create_operation", id=uuid7(), type="hunter2", cost=-1)
    assert "operations_cost_check" in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "call",
    [
        lambda uow: price(uow, "a\0b"),
        lambda uow: uow.one("create_operation", id=uuid7(), type="x", cost=10**30),
    ],
    ids=["a NUL in text", "a number past numeric's range"],
)
def test_what_postgres_cant_hold_is_invalid_input(
    uow: UnitOfWork, call: Callable[[UnitOfWork], None]
) -> None:
    with pytest.raises(InvalidInput):
        call(uow)
    price(uow, "test")


def test_every_error_of_the_driver_is_a_domain_error(uow: UnitOfWork) -> None:
    for statement in ("SELECT 1 / 0", "SELECT nothing", "SELEC", "SELECT CAST('x' AS uuid)"):
        with pytest.raises(DomainError):
            uow.database.query(statement, {})
    assert uow.all("health") == [{"ok": 1}]


def test_a_dispose_before_a_snapshot_leaves_a_connection_to_be_made_after(database: Database) -> None:
    first = backend(database)
    database.dispose()
    database.dispose()
    assert backend(database) != first


def test_the_socket_does_not_wait_to_fill_a_packet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = PostgresUrl.parse(f"postgresql://127.0.0.1:{listening.getsockname()[1]}/x")
        with url.open_socket(5) as opened:
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_connection_is_left_unpinned(database: Database, sql: Sql) -> None:
    database.run("health")
    settings = database.query("SELECT name FROM pg_settings WHERE source = 'session'", {})
    assert settings == [], "a SET pins RDS Proxy; what is told at the start does not"
