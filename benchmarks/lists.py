"""Compare pages of a user with millions of records with the bare SQL through the same driver.

A page runs through the handler, from event to response. The bare SQL is the prepared statement that such a
page needs, without looking up the caller. Each round measures them in random order.
"""

import os
import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pg8000.native

from benchmarks import money
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.event import get
from benchmarks.report import Row, write
from shared.auth import tokens
from shared.lists import cursor as listing_cursor
from shared.lists.query import Query

PERSON = UUID(int=1)
PAGE_SIZE = 10
DEEP_PAGE = 100_000
WITH_TOTAL, FIRST, SECOND = "page 1 and its total", "page 1", "page 2"
NEWEST = {"date": "9999-01-01 00:00:00+00", "id": str(UUID(int=2**128 - 1))}
"""A position before the newest record: page 1 by cursor, for which the service does not count."""
RARE = "a result that one in a thousand has"
RARE_EVERY = 10
"""Rounds per measurement of RARE. It reads the whole table, which evicts the caches of other measurements."""
WARM_UP = 10
"""Rounds before the measurement."""

# Every third record belongs to a batch, every seventh has the same amount, every thousandth the same result.
FILL = """
WITH person AS (
    INSERT INTO users (id, email, password_hash, role, balance)
    VALUES ('{person}', 'lists@bench.example', 'none', 'client', 0) RETURNING id
), signed_in AS (
    INSERT INTO sessions (id, user_id, refresh_id, expires_at)
    SELECT id, id, id, now() + interval '1 day' FROM person
)
INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date,
                     task_id, task_row)
SELECT uuidv7(), '{person}', o.id, '[1, 2]', to_jsonb(n % 1000), n % 7, n,
       now() - n * interval '1 second',
       CASE WHEN n % 3 = 0 THEN '{person}'::uuid END, CASE WHEN n % 3 = 0 THEN n END
FROM generate_series(1, {rows}) n, operations o WHERE o.type = 'addition'"""

PAGE = """
SELECT json_build_object(
           'id', id, 'user_id', user_id, 'operation_id', operation_id, 'arguments', arguments,
           'operation_response', operation_response, 'amount', trim_scale(amount),
           'user_balance', trim_scale(user_balance), 'date', rfc3339(date), 'task_id', task_id,
           'task_row', task_row, 'deleted_at', rfc3339(deleted_at),
           'operation', (SELECT o.type FROM operations o WHERE o.id = operation_id),
           'refunded_at', rfc3339(coalesce(
               refunded_at, (SELECT t.refunded_at FROM tasks t WHERE t.id = records.task_id))),
           'refund_id', coalesce(
               refund_id, (SELECT t.refund_id FROM tasks t WHERE t.id = records.task_id)))::text,
       date::text, id::text
FROM records
WHERE user_id = :person::uuid AND deleted_at IS NULL AND (date, id) < (:date::timestamptz, :id::uuid)
  {conditions}
ORDER BY records.date DESC, records.id DESC LIMIT 11"""
TOTAL = """
SELECT count(*) FROM (
    SELECT 1 FROM records WHERE user_id = :person::uuid AND deleted_at IS NULL
    {conditions} LIMIT 10001) capped"""
FILTERS = {
    "date__gte": "AND date >= '{}'",
    "task_id": "AND task_id = '{}'",
    "amount": "AND amount = {}",
    "operation_response": "AND operation_response = '{}'",
}

Action = Callable[[], object]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    with migrated() as postgres, connect(postgres.url) as connection:
        connection.run(FILL.format(person=PERSON, rows=options.rows))
        connection.run("VACUUM ANALYZE records")
        actions = _actions(connection, min(DEEP_PAGE, options.rows // PAGE_SIZE // 2))
        with silence():
            samples: dict[str, list[float]] = {what: [] for what in actions}
            for number in range(-WARM_UP, options.rounds):
                # Random order, because an action is faster after a similar one has warmed the caches.
                now = [what for what in actions if number % RARE_EVERY == 0 or not what.endswith(RARE)]
                for what in random.sample(now, len(now)):
                    milliseconds = _milliseconds(actions[what])
                    if number >= 0:
                        samples[what].append(milliseconds)
        command = f"python -m benchmarks.lists --rows {options.rows} --rounds {options.rounds}"
        rows = _rows(samples)
        write("lists", rows, command=command, notes=_notes(rows, options.rows), database=connection)


def _actions(connection: pg8000.native.Connection, deep: int) -> dict[str, Action]:
    """Return the measured actions by name: bare SQL first, then the handler."""
    positions = [NEWEST, *(_position(connection, (number - 1) * PAGE_SIZE) for number in (2, deep))]
    pages = dict(zip((FIRST, SECOND, f"page {deep:,}"), positions, strict=True))
    filters: dict[str, dict[str, Any]] = {
        "a time": {"date__gte": positions[-1]["date"]},
        "a task": {"task_id": PERSON},
        "an amount that one in seven has": {"amount": 3},
        RARE: {"operation_response": 7},
    }
    bare = {what: _sql(connection, position) for what, position in pages.items()}
    bare[WITH_TOTAL] = _sql(connection, NEWEST, total=True)
    actions = {what: _call(cursor=_cursor(position)) for what, position in pages.items()}
    actions[WITH_TOTAL] = _call()
    for what, query in filters.items():
        name = f"page 1 and its total, filtered by {what}"
        bare[name], actions[name] = _sql(connection, NEWEST, total=True, **query), _call(**query)
    return {f"SQL: {what}": action for what, action in bare.items()} | actions


def _rows(samples: dict[str, list[float]]) -> list[Row]:
    rows = []
    for what, milliseconds in samples.items():
        is_baseline = what.startswith("SQL: ")
        rows.append(Row(what, "ms", milliseconds, *(() if is_baseline else (f"SQL: {what}", "≤ 3"))))
    deep = next(row for row in rows if row.what.startswith("page ") and row.what not in (FIRST, SECOND))
    return [
        *rows,
        Row(f"{deep.what}, beside {WITH_TOTAL}", "ms", deep.samples, WITH_TOTAL, "≤ 2"),
        Row(f"{deep.what}, beside {FIRST}", "ms", deep.samples, FIRST, "≤ 2"),
    ]


def _notes(rows: list[Row], records: int) -> list[str]:
    medians = {row.what: row.median for row in rows}
    return [
        f"One user with {records:,} records, {PAGE_SIZE} per page. Rows without a total use a cursor.",
        f"**In money**: {'; '.join(_money(medians, what) for what in (WITH_TOTAL, SECOND))}. The waiting time"
        " is that of the bare SQL, over a Unix socket.",
    ]


def _money(medians: Mapping[str, float], what: str) -> str:
    waiting = medians[f"SQL: {what}"]
    return money.of_calls(f"requests of {what}", max(medians[what] - waiting, 0), waiting)


def _sql(
    connection: pg8000.native.Connection, position: Mapping[str, str], *, total: bool = False, **query: Any
) -> Action:
    """Return the bare SQL of a page. The filters' values are in its text, so Postgres plans for them."""
    conditions = "".join(FILTERS[name].format(value) for name, value in query.items())
    page = connection.prepare(PAGE.format(conditions=conditions))
    count = connection.prepare(TOTAL.format(conditions=conditions))

    def run() -> None:
        page.run(person=PERSON, **position)
        if total:
            count.run(person=PERSON)

    return run


def _call(**query: Any) -> Action:
    """Return a call of the list's handler."""
    from functions.records.list import app

    token = tokens.issue(PERSON, PERSON, "client").access
    event = get("/api/v1/records", token, **query, page_size=PAGE_SIZE)

    def run() -> None:
        response = app(dict(event), None)
        assert response["statusCode"] == 200, response
        # Counted in the text, because parsing it would take a tenth of the page's time.
        assert response["body"].count('"task_row"') == PAGE_SIZE

    return run


def _position(connection: pg8000.native.Connection, skipped: int) -> dict[str, str]:
    """Return the position of the last record before a page."""
    ((date, record),) = connection.run(
        "SELECT date::text, id::text FROM records WHERE user_id = :person::uuid"
        " ORDER BY records.date DESC, records.id DESC OFFSET :skipped::bigint LIMIT 1",
        person=PERSON,
        skipped=skipped - 1,
    )
    return {"date": date, "id": record}


def _cursor(position: dict[str, str]) -> str:
    return listing_cursor.encode(Query(), [position["date"], position["id"]])


def _milliseconds(action: Action) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


@contextmanager
def silence() -> Iterator[None]:
    """Redirect the log of the calls to /dev/null."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


if __name__ == "__main__":
    main()
