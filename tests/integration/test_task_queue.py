"""Which task of an owner runs next while another one ends, and how often a task can be resumed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from shared import database, tasks
from shared.database import UnitOfWork
from shared.errors import TooManyRequests
from tests.support.eventually import eventually
from tests.support.users import Person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]
ENDS: dict[str, dict[str, object]] = {
    "complete_task": {"dry_run": False},
    "cancel_task": {"owner": None, "admin_id": None, "audit_id": None},
    "fail_task": {"error": "for a reason", "announced": False},
}
"""The statements that end a task without a worker, with their other parameters."""


def task(owner: Person, sql: Sql, status: str) -> UUID:
    """Create a task with this status, whose file is uploaded and billed."""
    sql("DELETE FROM rate_limits")
    task_id, _ = tasks.create(owner.caller, "a.csv", 10, "queued")
    sql(
        "UPDATE tasks SET status = :status, etag = 'e', bytes_done = 10 WHERE id = :id",
        status=status,
        id=task_id,
    )
    return task_id


def start(uow: UnitOfWork, owner: Person, task_id: UUID) -> str:
    """Try to start a task without committing. Return its status."""
    uow.one("lock_task", id=task_id, user_id=owner.id)
    row = uow.only("start_task", id=task_id, user_id=owner.id, bytes_total=10, etag="e")
    return str(row["status"])


def start_and_commit(owner: Person, task_id: UUID) -> str:
    """Try to start a task and commit. Return its status."""
    with UnitOfWork() as uow:
        status = start(uow, owner, task_id)
        uow.commit()
    return status


@pytest.mark.parametrize("statement", ENDS)
def test_task_that_starts_waiting_while_the_running_one_ends_is_next(
    another_uow: AnotherUow, client: Person, sql: Sql, statement: str
) -> None:
    running, waiting = (task(client, sql, status) for status in ("processing", "queued"))
    worker = another_uow()
    assert start(worker, client, waiting) == "queued"

    def end() -> Any:
        database.one(statement, id=running, **ENDS[statement])
        return database.one("next_task", user_id=client.id)

    with ThreadPoolExecutor() as pool:
        ending = pool.submit(end)
        eventually(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
        worker.commit()
        assert ending.result()["id"] == waiting


@pytest.mark.parametrize("statement", ENDS)
def test_task_starts_once_the_running_one_ends(
    another_uow: AnotherUow, client: Person, sql: Sql, statement: str
) -> None:
    running, waiting = (task(client, sql, status) for status in ("processing", "queued"))
    worker = another_uow()
    with UnitOfWork() as ending, ThreadPoolExecutor() as pool:
        ending.one(statement, id=running, **ENDS[statement])
        starting = pool.submit(start, worker, client, waiting)
        eventually(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
        ending.commit()
        assert starting.result() == "processing"
        worker.commit()
    assert database.one("next_task", user_id=client.id) is None


def test_peek_waits_for_a_resumption_but_not_for_a_chunk(client: Person, sql: Sql) -> None:
    stopped = task(client, sql, "cancelled")

    def peek() -> str:
        return str(database.only("peek_task", id=stopped, user_id=client.id)["status"])

    with ThreadPoolExecutor() as pool:
        looking = list[Any]()

        def send(*_: UUID) -> None:
            looking.append(pool.submit(peek))
            eventually(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

        tasks.resume(stopped, client.id, send)
        assert looking[0].result() == "queued"
    assert start_and_commit(client, stopped) == "processing"
    with UnitOfWork() as chunk, ThreadPoolExecutor() as pool:
        assert chunk.one("begin_chunk", id=stopped, bytes_done=10, rows=1)
        assert pool.submit(peek).result() == "processing"


def test_six_resumptions_are_accepted_and_the_seventh_is_throttled(client: Person, sql: Sql) -> None:
    task_id = task(client, sql, "cancelled")

    def resume(owner: UUID | None) -> None:
        tasks.resume(task_id, owner, lambda *_: None)
        tasks.cancel(task_id, owner, lambda *_: None)

    for _ in range(6):
        resume(client.id)
    with pytest.raises(TooManyRequests) as caught:
        resume(client.id)
    assert 1 <= caught.value.retry_after <= 10
    assert tasks.get(task_id, client.id)["status"] == "cancelled"
    resume(None)  # an admin is not throttled
    sql("UPDATE rate_limits SET filled_at = filled_at - interval '10 seconds'")
    resume(client.id)


def test_task_has_one_message_until_a_worker_receives_it(client: Person, sql: Sql) -> None:
    sent = list[UUID]()

    def send(_: UUID, task_id: UUID) -> None:
        sent.append(task_id)

    stopped = task(client, sql, "cancelled")
    for messages in (1, 2):
        for _ in range(2):
            tasks.resume(stopped, client.id, send)
            tasks.cancel(stopped, client.id, send)
        assert sent == [stopped] * messages
        database.run("receive_message", id=stopped, user_id=client.id)


@pytest.mark.parametrize(
    ("statement", "status"), [("restart_tasks", "processing"), ("restart_results", "cancelled")]
)
def test_message_of_housekeeping_is_under_way(client: Person, sql: Sql, statement: str, status: str) -> None:
    stalled = task(client, sql, status)
    sql("UPDATE tasks SET updated_at = now() - interval '61 seconds', finished_at = now()")
    assert [row["id"] for row in database.run(statement, row_limit=10)] == [stalled]
    assert database.one("claim_message", id=stalled) is None


def test_message_that_is_received_before_the_commit_is_no_longer_under_way(client: Person, sql: Sql) -> None:
    stopped = task(client, sql, "cancelled")

    def send(*_: UUID) -> None:
        receiving.append(pool.submit(database.run, "receive_message", id=stopped, user_id=client.id))
        eventually(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    with ThreadPoolExecutor() as pool:
        receiving = list[Any]()
        tasks.resume(stopped, client.id, send)
        receiving[0].result()
    assert sql("SELECT has_message FROM tasks WHERE id = :id", id=stopped) == [[False]]


def test_late_worker_of_a_dry_run_cannot_complete_the_started_task(client: Person, sql: Sql) -> None:
    started = task(client, sql, "processing")
    assert database.one("complete_task", id=started, dry_run=True) is None
    assert database.one("begin_quote", id=started, bytes_done=10) is None
    assert tasks.get(started, client.id)["status"] == "processing"


def test_task_does_not_wait_for_a_stalled_one(client: Person, sql: Sql) -> None:
    running, waiting = (task(client, sql, status) for status in ("processing", "queued"))
    assert database.one("next_task", user_id=client.id) is None
    sql("UPDATE tasks SET updated_at = now() - interval '61 seconds' WHERE id = :id", id=running)
    assert database.only("next_task", user_id=client.id)["id"] == waiting
    assert start_and_commit(client, waiting) == "processing"
    assert start_and_commit(client, running) == "queued"
