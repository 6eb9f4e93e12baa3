"""The scheduled functions: what they delete or cancel, what they keep, and that they block no request."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from deploy.serverless_file import Function
from functions.housekeeping import audit, expire
from localstack.context import LambdaContext
from shared import database, exports, tasks
from shared.auth import sessions
from shared.database import statement_text
from shared.errors import ServiceUnavailable, WrongCredentials
from tests.integration.conftest import use
from tests.support.audit import mismatches
from tests.support.charging import charge
from tests.support.users import Person, create_person

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
MOMENT = timedelta(seconds=30)
"""The distance of the test rows from an expiry limit."""
KEPT = timedelta(hours=72)
UNFINISHED = ("awaiting_upload", "queued", "processing")


def housekeep(seconds: int = 300) -> dict[str, int]:
    """Run the function with this many seconds left."""
    return expire.handler({}, LambdaContext(Function("expire", "", seconds, 512)))


def test_idempotency_key_is_deleted_an_hour_after_its_72_hours(client: Person, sql: Sql) -> None:
    ages = {"expired": KEPT + timedelta(hours=1) + MOMENT, "almost": KEPT - MOMENT, "new": timedelta()}
    first = {key: charge(client, key).body for key in ages}
    for key, age in ages.items():
        sql(
            "UPDATE idempotency_keys SET created_at = now() - CAST(:age AS interval) WHERE key = :key",
            age=age,
            key=key,
        )
    assert housekeep()["expire_idempotency_keys"] == 1
    assert sql("SELECT key FROM idempotency_keys ORDER BY key") == [["almost"], ["new"]]
    for key in ("almost", "new"):
        again = charge(client, key)
        assert (again.replayed, again.body) == (True, first[key])
    assert not charge(client, "expired").replayed


def test_session_is_deleted_only_after_its_refresh_token_expired(sql: Sql) -> None:
    expired, almost = create_person(), create_person()
    for person, left in ((expired, -MOMENT), (almost, MOMENT)):
        sql(
            "UPDATE sessions SET expires_at = now() + CAST(:left AS interval) WHERE id = :id",
            left=left,
            id=person.session_id,
        )
    assert housekeep()["expire_sessions"] == 1
    assert sql(
        "SELECT id FROM sessions WHERE id = ANY(:ids)", ids=[expired.session_id, almost.session_id]
    ) == [[almost.session_id]]
    assert database.one("caller", session_id=almost.session_id, api_key_hash=None)
    with pytest.raises(WrongCredentials):
        sessions.refresh(expired.session_id, expired.refresh_id)
    sessions.refresh(almost.session_id, almost.refresh_id)


def test_revoked_session_is_kept_while_its_refresh_token_is_valid(client: Person, sql: Sql) -> None:
    sessions.refresh(client.session_id, client.refresh_id)
    sql("UPDATE sessions SET rotated_at = rotated_at - interval '10 seconds'")  # end the grace for two tabs
    with pytest.raises(WrongCredentials):
        sessions.refresh(client.session_id, client.refresh_id)
    housekeep()
    assert sql("SELECT revoked_at IS NULL FROM sessions WHERE id = :id", id=client.session_id) == [[False]]


def test_full_bucket_is_deleted_and_a_throttled_caller_stays_throttled(client: Person, sql: Sql) -> None:
    hour = timedelta(hours=1)
    for name, age in (("expired", hour + MOMENT), ("almost", hour - MOMENT)):
        sql("INSERT INTO rate_limits VALUES (:name, 0, now() - CAST(:age AS interval))", name=name, age=age)
    task_parameters = {
        "user_id": client.id,
        "filename": "a.csv",
        "size": 1,
        "status": "queued",
        "capacity": 1,
        "upload": None,
        "api_key_id": None,
        "dry_run": False,
        "max_spend": None,
    }
    waits = [
        database.only("create_task", id=uuid4(), per_second=0.001, **task_parameters)["wait"]
        for _ in range(2)
    ]
    assert (waits[0], waits[1] > 0) == (0, True)
    assert housekeep()["expire_rate_limits"] == 1
    assert ["expired"] not in sql("SELECT bucket FROM rate_limits")
    assert database.only("create_task", id=uuid4(), per_second=0.001, **task_parameters)["wait"] > 0


@pytest.fixture
def create_aged_task(client: Person, sql: Sql) -> Callable[[str, timedelta], UUID]:
    """Return a function that creates a task with this status, unchanged for this long."""

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
def test_task_without_progress_for_a_day_is_cancelled_and_can_be_resumed(
    client: Person, create_aged_task: Callable[[str, timedelta], UUID], status: str
) -> None:
    day = timedelta(days=1)
    expired, almost = create_aged_task(status, day + MOMENT), create_aged_task(status, day - MOMENT)
    assert housekeep()["expire_tasks"] == 1
    cancelled = json.loads(tasks.get(expired, client.id)["body"])
    assert cancelled["status"] == "cancelled"
    assert cancelled["error"] == (NEVER_STARTED if status == "awaiting_upload" else NOT_CONTINUED)
    assert cancelled["finished_at"] is not None
    assert tasks.get(almost, client.id)["status"] == status
    sent = list[tuple[UUID, UUID]]()
    resumed = json.loads(tasks.resume(expired, client.id, lambda *ids: sent.append(ids)))
    assert (resumed["status"], resumed["error"], sent) == ("awaiting_upload", None, [(client.id, expired)])
    assert housekeep()["expire_tasks"] == 0


def test_task_that_waits_for_another_one_is_not_cancelled(
    create_aged_task: Callable[[str, timedelta], UUID], client: Person, sql: Sql
) -> None:
    waiting, running = (
        create_aged_task("queued", timedelta(days=3)),
        create_aged_task("processing", timedelta()),
    )
    sql("UPDATE tasks SET etag = 'e'")
    assert housekeep()["expire_tasks"] == 0
    sql("UPDATE tasks SET status = 'completed' WHERE id = :id", id=running)
    assert housekeep()["expire_tasks"] == 0  # its message may still be in flight
    assert [row["id"] for row in database.run("restart_tasks", row_limit=10)] == [waiting]
    assert housekeep()["expire_tasks"] == 1


def test_only_the_oldest_task_of_an_owner_is_restarted_and_once_an_hour(
    create_aged_task: Callable[[str, timedelta], UUID], sql: Sql
) -> None:
    def restarted(row_limit: int = 10) -> list[UUID]:
        return [row["id"] for row in database.run("restart_tasks", row_limit=row_limit)]

    minute = timedelta(minutes=1)
    stalled, oldest, _ = (
        create_aged_task("processing", 1.1 * minute),
        create_aged_task("queued", 2 * minute),
        create_aged_task("queued", 2 * minute),
    )
    sql("UPDATE tasks SET created_at = created_at - interval '1 day' WHERE id = :id", id=oldest)
    create_aged_task("awaiting_upload", 9 * minute)
    assert restarted() == [stalled]  # no worker has received a file of the queued tasks
    sql("UPDATE tasks SET etag = 'e' WHERE status = 'queued'")
    assert restarted() == [oldest]
    assert restarted() == []
    sql("UPDATE tasks SET restarted_at = now() - interval '61 minutes' WHERE restarted_at IS NOT NULL")
    assert len(restarted(row_limit=1)) == 1
    assert len(restarted()) == 1
    sql("UPDATE tasks SET restarted_at = NULL, updated_at = now() WHERE id = :id", id=stalled)
    assert restarted() == []


KEPT_RESULTS = timedelta(days=90)


def create_ended_task_with_errors(owner: Person, sql: Sql, age: timedelta, rows: int) -> UUID:
    """Create a task that ended this long ago, with this many bad rows."""
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


def test_bad_rows_are_deleted_in_batches_when_their_tasks_results_expire(client: Person, sql: Sql) -> None:
    rows = 2 * expire.ROWS_LIMIT + 1
    expired = create_ended_task_with_errors(client, sql, KEPT_RESULTS + MOMENT, rows)
    almost = create_ended_task_with_errors(client, sql, KEPT_RESULTS - MOMENT, 3)
    assert database.only("expire_task_errors", row_limit=10)["rows"] == 10
    assert housekeep()["expire_task_errors"] == rows - 10
    assert sql("SELECT DISTINCT task_id FROM task_errors") == [[almost]]
    assert housekeep()["expire_task_errors"] == 1  # marks the task as without bad rows
    assert housekeep()["expire_task_errors"] == 0
    assert tasks.get(expired, client.id)["status"] == "completed"


@pytest.mark.parametrize("status", ["completed", "failed", "out_of_credit", "cancelled"])
def test_ended_task_is_not_changed(
    client: Person, create_aged_task: Callable[[str, timedelta], UUID], status: str
) -> None:
    ended = create_aged_task(status, timedelta(days=400))
    assert housekeep()["expire_tasks"] == 0
    assert tasks.get(ended, client.id)["status"] == status


def create_export(owner: Person, sql: Sql, status: str, *, age: timedelta, unchanged: timedelta) -> UUID:
    """Create an export this long ago, which has not changed, or ended, for as long as `unchanged`."""
    sql("DELETE FROM rate_limits")
    export_id = UUID(json.loads(exports.create(owner.caller, "records", "csv", ""))["id"])
    sql(
        """UPDATE exports
           SET status = :status, created_at = now() - CAST(:age AS interval),
               updated_at = now() - CAST(:unchanged AS interval),
               finished_at = CASE WHEN :status = 'completed' THEN now() - CAST(:unchanged AS interval) END
           WHERE id = :id""",
        status=status,
        age=age,
        unchanged=unchanged,
        id=export_id,
    )
    return export_id


@pytest.mark.parametrize("status", ["queued", "processing"])
def test_export_without_a_worker_for_a_minute_is_restarted_once_an_hour(
    client: Person, sql: Sql, status: str
) -> None:
    def restarted() -> list[UUID]:
        return [row["id"] for row in database.run("restart_exports", row_limit=10)]

    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    stalled = create_export(client, sql, status, age=hour, unchanged=minute + MOMENT)
    create_export(client, sql, status, age=hour, unchanged=minute - MOMENT)
    create_export(client, sql, "completed", age=hour, unchanged=hour)
    assert restarted() == [stalled]
    assert restarted() == []
    sql("UPDATE exports SET restarted_at = now() - interval '61 minutes' WHERE id = :id", id=stalled)
    assert restarted() == [stalled]


@pytest.mark.parametrize("status", ["queued", "processing"])
def test_export_that_is_not_written_fails_after_a_day(client: Person, sql: Sql, status: str) -> None:
    day, minute = timedelta(days=1), timedelta(minutes=1)
    abandoned = create_export(client, sql, status, age=day + MOMENT, unchanged=11 * minute)
    create_export(client, sql, status, age=day + MOMENT, unchanged=9 * minute)
    create_export(client, sql, status, age=day - MOMENT, unchanged=11 * minute)
    assert housekeep()["expire_exports"] == 1
    assert sql("SELECT id, error, finished_at IS NOT NULL FROM exports WHERE status = 'failed'") == [
        [abandoned, "No worker could finish the export within a day. Create it again.", True]
    ]


def test_export_is_deleted_when_its_file_expires(client: Person, sql: Sql) -> None:
    week = timedelta(days=7)
    create_export(client, sql, "completed", age=2 * week, unchanged=week + MOMENT)
    kept = create_export(client, sql, "completed", age=2 * week, unchanged=week - MOMENT)
    assert housekeep()["expire_exports"] == 1
    assert sql("SELECT id FROM exports") == [[kept]]


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        ("restart_exports", {"exports_unfinished_idx"}),
        ("expire_exports", {"exports_unfinished_idx", "exports_finished_idx"}),
    ],
)
def test_exports_are_restarted_and_expired_by_index(
    client: Person, sql: Sql, statement: str, indexes: set[str]
) -> None:
    sql(
        """INSERT INTO exports (id, user_id, resource, format, query, status, finished_at)
           SELECT gen_random_uuid(), :id, 'records', 'csv', '', 'completed', now() - n * interval '1 second'
           FROM generate_series(1, 5000) n""",
        id=client.id,
    )
    create_export(client, sql, "queued", age=timedelta(days=2), unchanged=timedelta(days=2))
    sql("ANALYZE exports")
    text = statement_text(statement).replace(":row_limit::bigint", "10")
    plan = "\n".join(line for (line,) in sql(f"EXPLAIN (COSTS OFF) {text}"))
    assert "Seq Scan on exports" not in plan
    assert set(re.findall(r"using (exports_\w+_idx)", plan)) == indexes


def insert_old_buckets(sql: Sql, rows: int) -> None:
    sql(
        "INSERT INTO rate_limits SELECT 'old:' || n, 0, now() - interval '2 hours'"
        " FROM generate_series(1, CAST(:rows AS int)) n",
        rows=rows,
    )


def test_all_expired_rows_are_deleted_in_batches(sql: Sql) -> None:
    rows = 2 * expire.ROWS_LIMIT + 1
    insert_old_buckets(sql, rows)
    assert database.only("expire_rate_limits", row_limit=10)["rows"] == 10
    assert housekeep()["expire_rate_limits"] == rows - 10
    assert sql("SELECT count(*) FROM rate_limits") == [[0]]


def test_rows_are_left_for_the_next_run_if_time_is_short(sql: Sql, database_url: str) -> None:
    insert_old_buckets(sql, 5)
    assert set(housekeep(seconds=int(expire.MARGIN)).values()) == {0}
    assert housekeep()["expire_rate_limits"] == 5


def test_row_locked_by_a_live_call_is_skipped(client: Person, sql: Sql) -> None:
    sql("UPDATE sessions SET expires_at = now() - interval '1 day'")
    other = create_person()
    sql("UPDATE sessions SET expires_at = now() - interval '1 day' WHERE id = :id", id=other.session_id)
    sql("BEGIN")
    sql("SELECT 1 FROM sessions WHERE id = :id FOR UPDATE", id=other.session_id)
    assert housekeep()["expire_sessions"] == 1  # without skipping, it would block
    sql("COMMIT")
    assert housekeep()["expire_sessions"] == 1


def test_housekeeping_changes_no_balance(client: Person, sql: Sql) -> None:
    charge(client, "old")
    sql("UPDATE idempotency_keys SET created_at = now() - interval '1 year'")
    before = sql("SELECT (SELECT array_agg(l) FROM ledger l), (SELECT array_agg(r) FROM records r)")
    assert housekeep()["expire_idempotency_keys"] == 1
    assert sql("SELECT (SELECT array_agg(l) FROM ledger l), (SELECT array_agg(r) FROM records r)") == before
    assert mismatches() == []


@pytest.mark.parametrize("handler", [expire.handler, audit.handler])
def test_unreachable_database_fails_the_function_so_that_lambda_retries(
    handler: Callable[..., object], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "postgresql://postgres@/x?host=/nowhere")
    with pytest.raises(ServiceUnavailable):
        handler({}, LambdaContext(Function("housekeeping", "", 300, 512)))


def test_nightly_audit_passes_right_balances_and_fails_for_a_wrong_one(client: Person, sql: Sql) -> None:
    assert audit.handler({}, None)["status"].startswith("Every balance")
    sql("UPDATE users SET balance = balance + 0.0001 WHERE id = :id", id=client.id)
    with pytest.raises(audit.LedgerMismatch) as caught:
        audit.handler({}, None)
    assert client.email not in str(caught.value)
