"""Faults of Postgres: stopped, restarted, unreachable, unresponsive, out of connections, read-only, slow."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.support.faults.harness import Harness, exhausted_connections
from tests.support.faults.routes import (
    KEY,
    SUCCESS,
    UNAVAILABLE,
    begin_file,
    call_all,
    check_fault,
    check_file,
)
from tests.support.http_client import Client

ROWS = 10_000
TERMINATE_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'restcalculator'"
)
Fault = Callable[[Harness], AbstractContextManager[None]]


@contextmanager
def stopped(harness: Harness) -> Iterator[None]:
    harness.postgres.stop()
    try:
        yield
    finally:
        harness.postgres.start()


@contextmanager
def silent_to_new_connections(harness: Harness) -> Iterator[None]:
    with harness.database.refusing():
        pass
    with harness.database.silent():
        yield


@contextmanager
def locked_table(harness: Harness) -> Iterator[None]:
    with harness.sql() as connection:
        connection.run("BEGIN")
        connection.run("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        yield


WRITES_UNAVAILABLE = {**UNAVAILABLE, "list": 200}
FAULTS: dict[str, tuple[Fault, dict[str, int]]] = {
    "stopped": (stopped, UNAVAILABLE),
    "refusing": (lambda harness: harness.database.refusing(), UNAVAILABLE),
    "silent to new connections": (silent_to_new_connections, UNAVAILABLE),
    "out of connections": (
        lambda harness: exhausted_connections(harness.postgres, TERMINATE_ALL),
        UNAVAILABLE,
    ),
    "read-only": (lambda harness: harness.set("default_transaction_read_only", "on"), WRITES_UNAVAILABLE),
    "slow": (lambda harness: harness.database.slow(0.1), SUCCESS),
}
LONG_FAULTS: dict[str, tuple[Fault, dict[str, int]]] = {
    "silent": (lambda harness: harness.database.silent(), UNAVAILABLE),
    "locked": (locked_table, UNAVAILABLE),
}
"""Faults that only a timeout distinguishes from slowness."""


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        *(pytest.param(*FAULTS[name], id=name) for name in FAULTS),
        *(pytest.param(*LONG_FAULTS[name], id=name, marks=pytest.mark.slow) for name in LONG_FAULTS),
    ],
)
def test_affected_calls_return_503_and_nothing_is_lost_or_charged_twice(
    harness: Harness, client: Client, saver: Client, fault: Fault, expected: dict[str, int]
) -> None:
    call_all(saver)  # so that nearly every gateway process has a connection that breaks
    check_fault(client, saver, fault(harness), ROWS, expected)


def test_charge_after_a_restart_of_the_database_succeeds(
    harness: Harness, client: Client, saver: Client
) -> None:
    task_id = begin_file(saver, ROWS)
    with stopped(harness):
        pass
    assert client.compute(key=KEY).status_code == 200
    assert client.balance == 15
    check_file(saver, task_id, ROWS)
