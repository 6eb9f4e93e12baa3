"""The service's actions that benchmarks/scale.py measures on tables of different sizes.

A measurement is the time and the pages of 8 kB that Postgres read, cached or not. The pages depend little on
how busy the machine is.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pg8000.native

from benchmarks.batch_versions import Version, measurements
from benchmarks.batch_worker import NoLimit
from benchmarks.embedded_postgres import connect
from benchmarks.event import get, post
from benchmarks.scale_fill import COST, FILE_OWNER, HEAVY, OTHER
from deploy.environment import ROOT
from functions.housekeeping import audit as nightly
from functions.housekeeping import expire, restart_tasks
from shared import aws, database
from shared.auth import tokens
from shared.auth.caller import Caller
from shared.billing import audit, usage
from shared.ids import uuid7
from shared.lists import cursor
from shared.lists.listing import Listing
from shared.lists.query import Query
from shared.lists.read_page import read_page
from shared.lists.registry import LEDGER, RECORDS, TASKS

Connection = pg8000.native.Connection
Run = Callable[[], object]

ACTIVE, INACTIVE = OTHER[:100], OTHER[1000:]
"""Users who call again and again, and those whose newest rows may have left the memory."""
ROWS_OF_BATCH = 100_000
NIGHT = 3
"""Charges of each user in a night, 30,000 in all."""
EXPIRED = 5000
"""Expired idempotency keys and expired sessions of one cleanup."""

NEW_ENTRIES = (
    "SET session_replication_role = replica",
    "BEGIN",
    f"""
INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, date, in_usage)
SELECT uuidv7(), id, 'charge', -{COST}, balance - {COST} * (n - 1), balance - {COST} * n,
       '{{"record_id": "{UUID(int=0)}"}}', now(), true
FROM users, generate_series(1, {NIGHT}) n WHERE id BETWEEN '{OTHER[0]}' AND '{OTHER[-1]}' ORDER BY n""",
    f"""
INSERT INTO usage_hours AS u (user_id, hour, type, calls, spent)
SELECT id, date_trunc('hour', now(), 'UTC'), 'addition', {NIGHT}, {NIGHT * COST}
FROM users WHERE id BETWEEN '{OTHER[0]}' AND '{OTHER[-1]}'
ON CONFLICT (user_id, hour, type) DO UPDATE
SET calls = u.calls + {NIGHT}, spent = u.spent + {NIGHT * COST}""",
    f"""
UPDATE users SET balance = balance - {NIGHT * COST} WHERE id BETWEEN '{OTHER[0]}' AND '{OTHER[-1]}'""",
    "COMMIT",
)
EXPIRED_ROWS = (
    f"""
INSERT INTO idempotency_keys (user_id, key, fingerprint, response, created_at)
SELECT '{HEAVY}', 'expired ' || n, '\\x00', '{{}}', now() - interval '74 hours'
FROM generate_series(1, {EXPIRED}) n""",
    f"""
INSERT INTO sessions (id, user_id, refresh_id, expires_at)
SELECT uuidv7(), '{HEAVY}', uuidv7(), now() - interval '1 hour' FROM generate_series(1, {EXPIRED})""",
)
ADD_TASK = """
INSERT INTO tasks (id, user_id, filename, status, bytes_total)
VALUES (:task_id, :user_id, 'bench.csv', 'queued', :size)"""

FLUSH = "SELECT pg_stat_force_next_flush()"
WORKER_BACKENDS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""


@dataclass(frozen=True)
class Measurement:
    """Milliseconds, and the pages that Postgres read."""

    milliseconds: float
    pages: float


def pages_read(connection: Connection) -> float:
    """Return the pages that all ended transactions of the database have read, cached or not."""
    ((pages,),) = connection.run(
        "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    return float(pages)


@dataclass(frozen=True)
class Action:
    """One action of the service.

    Args:
        prepare: receives a plain connection, and returns the function to time.
        calls: measured calls of one round.
        is_bounded: whether its time must not grow with the tables.
        warm_up: calls before those, which open the connection and prepare the statements.
        timeout: the statement timeout in seconds that the action sets, which selects its connection.
    """

    what: str
    prepare: Callable[[Connection], Run]
    calls: int = 1
    is_bounded: bool = True
    warm_up: int = 0
    timeout: float = database.STATEMENT_TIMEOUT

    def measure(self, url: str) -> Measurement:
        """Return the medians of the calls on the database of a URL, which the service uses."""
        found = []
        with connect(url) as connection:
            for _ in range(self.warm_up + self.calls):
                run = self.prepare(connection)
                connection.run(FLUSH)
                self._flush()
                before, began = pages_read(connection), time.perf_counter()
                run()
                milliseconds = (time.perf_counter() - began) * 1000
                self._flush()
                found.append(Measurement(milliseconds, pages_read(connection) - before))
        measured = found[self.warm_up :]
        return Measurement(
            statistics.median(one.milliseconds for one in measured),
            statistics.median(one.pages for one in measured),
        )

    def _flush(self) -> None:
        """Make the service's backend publish its statistics at once. Otherwise it may wait for 10 s."""
        with database.statement_timeout(self.timeout):
            database.query(FLUSH, {})


class Batch(Action):
    """A file of 100,000 rows through the worker in a process of its own, its start excluded."""

    def __init__(self) -> None:
        super().__init__(f"a file of {ROWS_OF_BATCH:,} rows, with its results", lambda _: lambda: None)

    def measure(self, url: str) -> Measurement:
        user_id, task_id = random.choice(FILE_OWNER), uuid7()
        database.dispose_connections()  # so that all other backends are the worker's
        body = b"operation,arguments\n" + b'addition,"[1, 2.5]"\n' * ROWS_OF_BATCH
        key = aws.upload_key(user_id, task_id)
        aws.store(key, body)
        with connect(url) as connection:
            connection.run(ADD_TASK, task_id=task_id, user_id=user_id, size=len(body))
            connection.run("CHECKPOINT")
            before = pages_read(connection)
            with Version(ROOT, url, connection).worker(key) as worker:
                measured = measurements(worker)
            while connection.run(WORKER_BACKENDS) != [[0]]:  # they publish their statistics when they end
                time.sleep(0.05)
            pages = pages_read(connection) - before
            done = connection.run("SELECT rows_done FROM tasks WHERE id = :id", id=task_id)
        _same(done, [[ROWS_OF_BATCH]])
        return Measurement(float(measured["billing"] + measured["results"]) * 1000, pages)


def _charge(people: list[UUID]) -> Callable[[Connection], Run]:
    """Return the preparation of a charge of one of the people after the other."""
    turns = cycle(people)

    def prepare(_: Connection) -> Run:
        from functions.calculator.process_operation import app

        person = next(turns)
        signed_in = tokens.issue(person, person, "client")
        event = post(
            "/api/v1/process_operation",
            {"type": "addition", "arguments": [1.5, 2]},
            headers={"x-csrf-token": signed_in.csrf},
            cookies=[f"access_token_cookie={signed_in.access}"],
        )
        return lambda: _check(app(event, None))

    return prepare


def _again(prepare: Callable[[Connection], Run]) -> Callable[[Connection], Run]:
    """Return a preparation that also runs what is to be measured, so that its pages are in memory."""

    def prepare_and_run(connection: Connection) -> Run:
        run = prepare(connection)
        run()
        return run

    return prepare_and_run


def _page(
    people: list[UUID], query: Callable[[Connection, UUID], dict[str, Any]] = lambda *_: {}
) -> Callable[[Connection], Run]:
    """Return the preparation of a page of the records of a random one of the people."""

    def prepare(connection: Connection) -> Run:
        from functions.records.list import app

        person = random.choice(people)
        token = tokens.issue(person, person, "client").access
        event = get("/api/v1/records", token, page_size=10, **query(connection, person))
        return lambda: _check(app(event, None))

    return prepare


def _check(response: dict[str, Any]) -> None:
    assert response["statusCode"] == 200, response


def _deep(connection: Connection, person: UUID) -> dict[str, Any]:
    """Return the cursor of a random time in the user's history."""
    return {"cursor": cursor.encode(Query(), [_moment(connection, person), str(UUID(int=0))])}


def _until(connection: Connection, person: UUID) -> dict[str, Any]:
    return {"date__lte": _moment(connection, person).replace(" ", "T")}


def _of_task(connection: Connection, person: UUID) -> dict[str, Any]:
    ((task_id,),) = connection.run(
        "SELECT id::text FROM tasks WHERE user_id = :id AND rows_done = 10 ORDER BY random() LIMIT 1",
        id=person,
    )
    return {"task_id": task_id}


def _moment(connection: Connection, person: UUID) -> str:
    """Return a random time in the newer nine tenths of the user's history."""
    ((moment,),) = connection.run(
        "SELECT (min(date) + (0.1 + 0.9 * random()) * (max(date) - min(date)))::text FROM records"
        " WHERE user_id = :id AND deleted_at IS NULL",
        id=person,
    )
    return str(moment) + ("" if ":" in moment[-3:] else ":00")


def _read(listing: Listing, role: str, people: list[UUID], **query: Any) -> Callable[[Connection], Run]:
    """Return the preparation of a page of a list that is not read through its function."""

    def prepare(_: Connection) -> Run:
        caller = Caller(random.choice(people), role)  # type: ignore[arg-type]
        return lambda: read_page(listing, urlencode(query), caller)

    return prepare


def _usage(role: str, people: list[UUID], days: int) -> Callable[[Connection], Run]:
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def prepare(_: Connection) -> Run:
        caller = Caller(random.choice(people), role)  # type: ignore[arg-type]
        return lambda: usage.read(caller, end - timedelta(days=days), end, "day", None)

    return prepare


def _full_audit(_: Connection) -> Run:
    return lambda: _same(audit.findings(), [])


def _nightly_audit(connection: Connection) -> Run:
    audit.SETTLED_SECONDS = 0.0  # the benchmark has no open transaction
    for statement in NEW_ENTRIES:
        connection.run(statement)
    return lambda: _same(nightly.handler({}, None), {"status": audit.PASSED})


def _clean_up_nothing(_: Connection) -> Run:
    expire.handler({}, NoLimit())
    return lambda: _same(sum(expire.handler({}, NoLimit()).values()), 0)


def _clean_up(connection: Connection) -> Run:
    for statement in EXPIRED_ROWS:
        connection.run(statement)
    return lambda: _same(sum(expire.handler({}, NoLimit()).values()), 2 * EXPIRED)


def _restart(_: Connection) -> Run:
    return lambda: _same(restart_tasks.handler({}, NoLimit()), {"sent": 0})


def _same(found: object, expected: object) -> None:
    assert found == expected, found


def _twice(what: str, prepare: Callable[[Connection], Run]) -> tuple[Action, Action]:
    """Return the first read of a page, which may need the disk, and the second one of the same page."""
    return (
        Action(f"{what}, first read", prepare, 40, is_bounded=False, warm_up=10),
        Action(f"{what}, read again", _again(prepare), 40, warm_up=10),
    )


OLD = cursor.encode(Query(), [str(datetime.now(UTC) - timedelta(days=15)), str(UUID(int=0))])
full_audit = Action("a full audit", _full_audit, is_bounded=False, timeout=audit.AUDIT_TIMEOUT)
ACTIONS = (
    Action("a charge", _charge(ACTIVE), 200, warm_up=len(ACTIVE)),
    Action("a user's first charge after a long time", _charge(INACTIVE), 200, is_bounded=False, warm_up=20),
    Action("page 1 and its total, the user with a fifth of all records", _page([HEAVY]), 40, warm_up=10),
    *_twice("a page at a random depth by cursor, the same user", _page([HEAVY], _deep)),
    *_twice("a page until a time, the same user", _page([HEAVY], _until)),
    *_twice("a page at a random depth by cursor, other users", _page(OTHER, _deep)),
    *_twice("the records of a file", _page(FILE_OWNER, _of_task)),
    Action("page 1 of all users' records", _read(RECORDS, "admin", [HEAVY]), 40, warm_up=10),
    Action("page 1 of a user's ledger", _read(LEDGER, "client", [HEAVY]), 40, warm_up=10),
    # Its total grows until there are 10,001 tasks.
    Action("page 1 of all users' tasks", _read(TASKS, "admin", [HEAVY]), 40, is_bounded=False, warm_up=10),
    Action(
        "a page of all users' tasks by cursor", _read(TASKS, "admin", [HEAVY], cursor=OLD), 40, warm_up=10
    ),
    Action("a user's usage, 30 days by day", _usage("client", OTHER, 30), 40, warm_up=10),
    Action("all users' usage of a day", _usage("admin", [HEAVY], 1), 40, warm_up=10),
    Action(
        "a user's search without matches", _read(RECORDS, "client", [HEAVY], search="absent"), 5, warm_up=1
    ),
    Action(
        "all users' search without matches", _read(RECORDS, "admin", [HEAVY], search="absent"), 5, warm_up=1
    ),
    Action("a nightly audit of 30,000 new entries", _nightly_audit, timeout=nightly.STATEMENT_TIMEOUT),
    Action("hourly cleanup of nothing", _clean_up_nothing, 5),
    Action(f"hourly cleanup of {2 * EXPIRED:,} rows", _clean_up),
    Action("restart of lost tasks: none", _restart, 5),
)
