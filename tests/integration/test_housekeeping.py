"""The scheduled functions: what they delete or cancel, what they keep, and that no request waits for them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from deploy.serverless_file import Function
from functions.housekeeping import audit, expire
from localstack.context import LambdaContext
from shared import database, tasks
from shared.auth import sessions
from shared.billing import charges
from shared.errors import ServiceUnavailable, WrongCredentials
from tests.integration.conftest import use
from tests.support.charging import charge
from tests.support.users import Person, enrol

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
MOMENT = timedelta(seconds=30)
"""How near to a limit the rows of these tests are."""
KEPT = timedelta(hours=72)
UNFINISHED = ("awaiting_upload", "queued", "processing")


def housekeep(seconds: int = 300) -> dict[str, int]:
    """The function, with so much time left."""
    return expire.handler({}, LambdaContext(Function("expire", "", seconds, 512)))


def test_a_key_is_kept_as_long_as_a_replay_was_promised_and_not_for_ever(client: Person, sql: Sql) -> None:
    ages = {"over": KEPT + timedelta(hours=1) + MOMENT, "nearly": KEPT - MOMENT, "new": timedelta()}
    first = {key: charge(client, key).body for key in ages}
    for key, age in ages.items():
        sql(
            "UPDATE idempotency_keys SET created_at = now() - CAST(:age AS interval) WHERE key = :key",
            age=age,
            key=key,
        )
    assert housekeep()["expire_idempotency_keys"] == 1
    assert sql("SELECT key FROM idempotency_keys ORDER BY key") == [["nearly"], ["new"]]
    for key in ("nearly", "new"):
        again = charge(client, key)
        assert (again.replayed, again.body) == (True, first[key])
    assert not charge(client, "over").replayed


def test_a_session_goes_when_its_refresh_token_has_run_out_and_no_sooner(sql: Sql) -> None:
    over, nearly = enrol(), enrol()
    for person, left in ((over, -MOMENT), (nearly, MOMENT)):
        sql(
            "UPDATE sessions SET expires_at = now() + CAST(:left AS interval) WHERE id = :id",
            left=left,
            id=person.session_id,
        )
    assert housekeep()["expire_sessions"] == 1
    assert sql("SELECT id FROM sessions WHERE id = ANY(:ids)", ids=[over.session_id, nearly.session_id]) == [
        [nearly.session_id]
    ]
    assert database.one("caller", session_id=nearly.session_id, api_key_hash=None)
    with pytest.raises(WrongCredentials):
        sessions.refresh(over.session_id, over.refresh_id)
    sessions.refresh(nearly.session_id, nearly.refresh_id)


def test_a_stolen_refresh_token_is_known_as_long_as_it_is_good(client: Person, sql: Sql) -> None:
    sessions.refresh(client.session_id, client.refresh_id)
    sql("UPDATE sessions SET rotated_at = rotated_at - interval '10 seconds'")  # past the grace for two tabs
    with pytest.raises(WrongCredentials):
        sessions.refresh(client.session_id, client.refresh_id)
    housekeep()
    assert sql("SELECT revoked_at IS NULL FROM sessions WHERE id = :id", id=client.session_id) == [[False]]


def test_a_bucket_goes_when_it_is_full_again_and_a_throttled_caller_stays_throttled(
    client: Person, sql: Sql
) -> None:
    hour = timedelta(hours=1)
    for name, age in (("over", hour + MOMENT), ("nearly", hour - MOMENT)):
        sql("INSERT INTO rate_limits VALUES (:name, 0, now() - CAST(:age AS interval))", name=name, age=age)
    take = {
        "user_id": client.id,
        "filename": "a.csv",
        "size": 1,
        "status": "queued",
        "capacity": 1,
        "upload": None,
    }
    waits = [database.only("create_task", id=uuid4(), per_second=0.001, **take)["wait"] for _ in range(2)]
    assert (waits[0], waits[1] > 0) == (0, True)
    assert housekeep()["expire_rate_limits"] == 1
    assert ["over"] not in sql("SELECT bucket FROM rate_limits")
    assert database.only("create_task", id=uuid4(), per_second=0.001, **take)["wait"] > 0


@pytest.fixture
def aged(client: Person, sql: Sql) -> Callable[[str, timedelta], UUID]:
    """Makes a task of a status that nothing happened to for so long."""

    def make(status: str, age: timedelta) -> UUID:
        sql("DELETE FROM rate_limits")
        task_id, _ = tasks.create(client.caller, "a.csv", 10, status)
        sql(
            "UPDATE tasks SET created_at = now() - CAST('9 days' AS interval),"
            " updated_at = now() - CAST(:age AS interval) WHERE id = :id",
            age=age,
            id=task_id,
        )
        return task_id

    return make


NEVER_STARTED = (
    "No file arrived within a day, or no worker could start the task."
    " If you uploaded the file, resume the task."
)
NOT_CONTINUED = (
    "No worker could continue the task for a day. The charged rows are recorded. Resume the task to process"
    " the rest."
)


@pytest.mark.parametrize("status", UNFINISHED)
def test_a_task_that_nothing_happens_to_for_a_day_is_given_back_to_its_owner(
    client: Person, aged: Callable[[str, timedelta], UUID], status: str
) -> None:
    day = timedelta(days=1)
    over, nearly = aged(status, day + MOMENT), aged(status, day - MOMENT)
    assert housekeep()["expire_tasks"] == 1
    told = json.loads(tasks.get(over, client.id)["body"])
    assert told["status"] == "cancelled"
    assert told["error"] == (NEVER_STARTED if status == "awaiting_upload" else NOT_CONTINUED)
    assert told["finished_at"] is not None
    assert tasks.get(nearly, client.id)["status"] == status
    sent = list[tuple[UUID, UUID]]()
    resumed = json.loads(tasks.resume(over, client.id, lambda *ids: sent.append(ids)))
    assert (resumed["status"], resumed["error"], sent) == ("awaiting_upload", None, [(client.id, over)])
    assert housekeep()["expire_tasks"] == 0


def test_a_task_that_waits_for_another_one_stays_however_long(
    aged: Callable[[str, timedelta], UUID], client: Person, sql: Sql
) -> None:
    waiting, running = aged("queued", timedelta(days=3)), aged("processing", timedelta())
    sql("UPDATE tasks SET etag = 'e'")
    assert housekeep()["expire_tasks"] == 0
    sql("UPDATE tasks SET status = 'completed' WHERE id = :id", id=running)
    assert housekeep()["expire_tasks"] == 0  # its message may just be on the way
    assert [row["id"] for row in database.run("restart_tasks", row_limit=10)] == [waiting]
    assert housekeep()["expire_tasks"] == 1


def test_a_task_is_restarted_once_an_hour_and_only_the_oldest_of_its_owner(
    aged: Callable[[str, timedelta], UUID], sql: Sql
) -> None:
    def restarted(row_limit: int = 10) -> list[UUID]:
        return [row["id"] for row in database.run("restart_tasks", row_limit=row_limit)]

    minute = timedelta(minutes=1)
    stalled, oldest, _ = (
        aged("processing", 1.1 * minute),
        aged("queued", 2 * minute),
        aged("queued", 2 * minute),
    )
    sql("UPDATE tasks SET created_at = created_at - interval '1 day' WHERE id = :id", id=oldest)
    aged("awaiting_upload", 9 * minute)
    assert restarted() == [stalled]  # of those that wait, no worker has seen a file
    sql("UPDATE tasks SET etag = 'e' WHERE status = 'queued'")
    assert restarted() == [oldest]
    assert restarted() == []
    sql("UPDATE tasks SET restarted_at = now() - interval '61 minutes' WHERE restarted_at IS NOT NULL")
    assert len(restarted(row_limit=1)) == 1
    assert len(restarted()) == 1
    sql("UPDATE tasks SET restarted_at = NULL, updated_at = now() WHERE id = :id", id=stalled)
    assert restarted() == []


KEPT_RESULTS = timedelta(days=90)


def ended_with_errors(owner: Person, sql: Sql, age: timedelta, rows: int) -> UUID:
    """A task that ended so long ago, with so many bad rows."""
    sql("DELETE FROM rate_limits")
    task_id, _ = tasks.create(owner.caller, "a.csv", 10, "queued")
    sql(
        "UPDATE tasks SET status = 'completed', finished_at = now() - CAST(:age AS interval) WHERE id = :id",
        age=age,
        id=task_id,
    )
    sql(
        "INSERT INTO task_errors SELECT CAST(:id AS uuid), n, '', '', ''"
        " FROM generate_series(1, CAST(:n AS int)) n",
        id=task_id,
        n=rows,
    )
    return task_id


def test_bad_rows_go_with_their_tasks_results_by_a_few_at_a_time(client: Person, sql: Sql) -> None:
    rows = 2 * expire.ROWS_LIMIT + 1
    over = ended_with_errors(client, sql, KEPT_RESULTS + MOMENT, rows)
    nearly = ended_with_errors(client, sql, KEPT_RESULTS - MOMENT, 3)
    assert database.only("expire_task_errors", row_limit=10)["rows"] == 10
    assert housekeep()["expire_task_errors"] == rows - 10
    assert sql("SELECT DISTINCT task_id FROM task_errors") == [[nearly]]
    assert housekeep()["expire_task_errors"] == 1  # notes that the task has none any more
    assert housekeep()["expire_task_errors"] == 0
    assert tasks.get(over, client.id)["status"] == "completed"


@pytest.mark.parametrize("status", ["completed", "failed", "out_of_credit", "cancelled"])
def test_a_task_that_has_ended_stays_as_it_is(
    client: Person, aged: Callable[[str, timedelta], UUID], status: str
) -> None:
    ended = aged(status, timedelta(days=400))
    assert housekeep()["expire_tasks"] == 0
    assert tasks.get(ended, client.id)["status"] == status


def many_buckets(sql: Sql, rows: int) -> None:
    sql(
        "INSERT INTO rate_limits SELECT 'old:' || n, 0, now() - interval '2 hours'"
        " FROM generate_series(1, CAST(:rows AS int)) n",
        rows=rows,
    )


def test_however_many_there_are_all_go_by_statements_of_a_few_rows(sql: Sql) -> None:
    rows = 2 * expire.ROWS_LIMIT + 1
    many_buckets(sql, rows)
    assert database.only("expire_rate_limits", row_limit=10)["rows"] == 10
    assert housekeep()["expire_rate_limits"] == rows - 10
    assert sql("SELECT count(*) FROM rate_limits") == [[0]]


def test_where_time_is_short_the_rest_is_left_for_the_next_hour(sql: Sql, database_url: str) -> None:
    many_buckets(sql, 5)
    assert set(housekeep(seconds=int(expire.MARGIN)).values()) == {0}
    assert housekeep()["expire_rate_limits"] == 5


def test_a_row_that_a_live_call_holds_is_passed_over(client: Person, sql: Sql) -> None:
    sql("UPDATE sessions SET expires_at = now() - interval '1 day'")
    other = enrol()
    sql("UPDATE sessions SET expires_at = now() - interval '1 day' WHERE id = :id", id=other.session_id)
    sql("BEGIN")
    sql("SELECT 1 FROM sessions WHERE id = :id FOR UPDATE", id=other.session_id)
    assert housekeep()["expire_sessions"] == 1  # else it would wait for ever
    sql("COMMIT")
    assert housekeep()["expire_sessions"] == 1


def test_housekeeping_moves_no_money(client: Person, sql: Sql) -> None:
    charge(client, "old")
    sql("UPDATE idempotency_keys SET created_at = now() - interval '1 year'")
    before = sql("SELECT (SELECT array_agg(l) FROM ledger l), (SELECT array_agg(r) FROM records r)")
    assert housekeep()["expire_idempotency_keys"] == 1
    assert sql("SELECT (SELECT array_agg(l) FROM ledger l), (SELECT array_agg(r) FROM records r)") == before
    assert charges.audit() == []


@pytest.mark.parametrize("handler", [expire.handler, audit.handler])
def test_a_database_that_is_away_makes_them_fail_so_that_lambda_tries_again(
    handler: Callable[..., object], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "postgresql://postgres@/x?host=/nowhere")
    with pytest.raises(ServiceUnavailable):
        handler({}, LambdaContext(Function("housekeeping", "", 300, 512)))


def test_the_nightly_audit_passes_books_in_order_and_fails_at_any_that_are_off(
    client: Person, sql: Sql
) -> None:
    assert audit.handler({}, None)["status"].startswith("Every balance")
    sql("UPDATE users SET balance = balance + 0.0001 WHERE id = :id", id=client.id)
    with pytest.raises(audit.LedgerMismatch) as caught:
        audit.handler({}, None)
    assert client.email not in str(caught.value)
