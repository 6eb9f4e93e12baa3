"""Pages of a user with millions of records, beside the bare SQL by the same driver.

A page goes through the handler, event in and response out; the bare SQL is what such a page needs,
prepared, without a look at who is calling. Each round measures them in an order of its own.
"""

import json
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
"""Before the newest record: page 1 by cursor, which counts nothing."""
RARE, EVERY = "a result that one in a thousand has", 10
"""What reads the whole table, and so empties the memory for what follows: measured each tenth round."""
WARM_UP = 10
"""Rounds before the clock runs."""

# Every third record is a batch's, one amount is every seventh's, one result every thousandth's.
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
           'task_row', task_row, 'deleted_at', rfc3339(deleted_at))::text, date::text, id::text
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

Act = Callable[[], object]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=300)
    asked = parser.parse_args()
    with migrated() as postgres, connect(postgres.url) as connection:
        connection.run(FILL.format(person=PERSON, rows=asked.rows))
        connection.run("VACUUM ANALYZE records")
        acts = _acts(connection, min(DEEP_PAGE, asked.rows // PAGE_SIZE // 2))
        with _silence():
            samples: dict[str, list[float]] = {what: [] for what in acts}
            for number in range(-WARM_UP, asked.rounds):
                # What comes after its like finds the processor's and Postgres's memory warmed up.
                now = [what for what in acts if number % EVERY == 0 or not what.endswith(RARE)]
                for what in random.sample(now, len(now)):
                    taken = _milliseconds(acts[what])
                    if number >= 0:
                        samples[what].append(taken)
        command = f"python -m benchmarks.lists --rows {asked.rows} --rounds {asked.rounds}"
        rows = _rows(samples)
        write("lists", rows, command=command, notes=_notes(rows, asked.rows), database=connection)


def _acts(connection: pg8000.native.Connection, deep: int) -> dict[str, Act]:
    """What is measured, by its name: bare SQL first, then the handler."""
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
    acts = {what: _call(cursor=_cursor(position)) for what, position in pages.items()}
    acts[WITH_TOTAL] = _call()
    for what, query in filters.items():
        name = f"page 1 and its total, filtered by {what}"
        bare[name], acts[name] = _sql(connection, NEWEST, total=True, **query), _call(**query)
    return {f"SQL: {what}": act for what, act in bare.items()} | acts


def _rows(samples: dict[str, list[float]]) -> list[Row]:
    rows = []
    for what, taken in samples.items():
        is_limit = what.startswith("SQL: ")
        rows.append(Row(what, "ms", taken, *(() if is_limit else (f"SQL: {what}", "≤ 3"))))
    far = next(row for row in rows if row.what.startswith("page ") and row.what not in (FIRST, SECOND))
    return [
        *rows,
        Row(f"{far.what}, beside {WITH_TOTAL}", "ms", far.samples, WITH_TOTAL, "≤ 2"),
        Row(f"{far.what}, beside {FIRST}", "ms", far.samples, FIRST, "≤ 2"),
    ]


def _notes(rows: list[Row], records: int) -> list[str]:
    taken = {row.what: row.median for row in rows}
    return [
        f"One person with {records:,} records, {PAGE_SIZE} a page; by cursor, where no total is said.",
        f"**In money**: {'; '.join(_money(taken, what) for what in (WITH_TOTAL, SECOND))}. The waiting is the"
        " bare SQL's time, over a socket of the same machine.",
    ]


def _money(taken: Mapping[str, float], what: str) -> str:
    waiting = taken[f"SQL: {what}"]
    return money.of_calls(f"times {what}", max(taken[what] - waiting, 0), waiting)


def _sql(
    connection: pg8000.native.Connection, position: Mapping[str, str], *, total: bool = False, **query: Any
) -> Act:
    """The bare SQL. The filters' values are in its text, for which Postgres so has a plan."""
    conditions = "".join(FILTERS[name].format(value) for name, value in query.items())
    page = connection.prepare(PAGE.format(conditions=conditions))
    count = connection.prepare(TOTAL.format(conditions=conditions))

    def act() -> None:
        page.run(person=PERSON, **position)
        if total:
            count.run(person=PERSON)

    return act


def _call(**query: Any) -> Act:
    """One call of the list's handler."""
    from functions.records.list import app

    token = tokens.issue(PERSON, PERSON, "client").access
    event = get("/api/v1/records", token, **query, page_size=PAGE_SIZE)

    def act() -> None:
        answer = app(dict(event), None)
        assert answer["statusCode"] == 200, answer
        assert len(json.loads(answer["body"])["records"]) == PAGE_SIZE

    return act


def _position(connection: pg8000.native.Connection, skipped: int) -> dict[str, str]:
    """Of the last record before a page."""
    ((date, record),) = connection.run(
        "SELECT date::text, id::text FROM records WHERE user_id = :person::uuid"
        " ORDER BY records.date DESC, records.id DESC OFFSET :skipped::bigint LIMIT 1",
        person=PERSON,
        skipped=skipped - 1,
    )
    return {"date": date, "id": record}


def _cursor(position: dict[str, str]) -> str:
    return listing_cursor.encode(Query(), [position["date"], position["id"]])


def _milliseconds(act: Act) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


@contextmanager
def _silence() -> Iterator[None]:
    """Write the log of the calls to /dev/null."""
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
