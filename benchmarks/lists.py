"""Pages of a user with millions of records, beside the bare SQL by the same driver.

A page goes through the handler, event in and response out; the bare SQL is what such a page needs,
prepared, without a look at who is calling. All are measured in each round, in an order of its own.
"""

import json
import os
import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pg8000.native

from benchmarks.database import connect, migrated
from benchmarks.report import Row, write
from shared import listing_cursor, tokens
from shared.listing_query import Query

PERSON = UUID(int=1)
PAGE_SIZE = 10
DEEP_PAGE = 100_000
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
ORDER BY records.date DESC, records.id DESC LIMIT 11"""
TOTAL = """
SELECT count(*) FROM (
    SELECT 1 FROM records WHERE user_id = :person::uuid AND deleted_at IS NULL LIMIT 10001) capped"""

Act = Callable[[], object]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=300)
    asked = parser.parse_args()
    with migrated() as postgres, connect(postgres) as connection:
        connection.run(FILL.format(person=PERSON, rows=asked.rows))
        connection.run("VACUUM ANALYZE records")
        acts = _acts(connection, min(DEEP_PAGE, asked.rows // PAGE_SIZE // 2))
        with _silence():
            samples: dict[str, list[float]] = {what: [] for what in acts}
            for number in range(-WARM_UP, asked.rounds):
                # What comes after its like finds the processor's and Postgres's memory warmed up.
                for what, act in random.sample(list(acts.items()), len(acts)):
                    taken = _milliseconds(act)
                    if number >= 0:
                        samples[what].append(taken)
        command = f"python -m benchmarks.lists --rows {asked.rows} --rounds {asked.rounds}"
        notes = [f"One person with {asked.rows:,} records, {PAGE_SIZE} a page."]
        write("lists", _rows(samples), command=command, notes=notes, database=connection)


def _acts(connection: pg8000.native.Connection, deep: int) -> dict[str, Act]:
    """What is measured, by its name: bare SQL first, then the handler."""
    page, total = connection.prepare(PAGE), connection.prepare(TOTAL)
    start = {"date": "infinity", "id": UUID(int=2**128 - 1)}
    second, far = (_position(connection, (number - 1) * PAGE_SIZE) for number in (2, deep))

    def first() -> None:
        page.run(person=PERSON, **start)
        total.run(person=PERSON)

    return {
        "SQL: page 1 and its total": first,
        "SQL: page 2": lambda: page.run(person=PERSON, **second),
        f"SQL: page {deep:,}": lambda: page.run(person=PERSON, **far),
        "page 1": _call(),
        "page 2 by cursor": _call(cursor=_cursor(second)),
        f"page {deep:,} by cursor": _call(cursor=_cursor(far)),
        "page 1, filtered by a time": _call(date__gte=far["date"]),
        "page 1, filtered by a task": _call(task_id=PERSON),
        "page 1, filtered by an amount that one in seven has": _call(amount=3),
        "page 1, filtered by a result that one in a thousand has": _call(operation_response=7),
    }


def _rows(samples: dict[str, list[float]]) -> list[Row]:
    rows = []
    for what, taken in samples.items():
        limit = "SQL: page 1 and its total" if what == "page 1" else f"SQL: {what.removesuffix(' by cursor')}"
        known = limit in samples
        rows.append(Row(what, "ms", taken, limit if known else "", "≤ 3" if known else ""))
    second, far = (row for row in rows if row.what.endswith("by cursor"))
    return [*rows, Row(f"{far.what}, again", "ms", far.samples, second.what, "≤ 2")]


def _call(**query: Any) -> Act:
    """One call of the list's handler."""
    from functions.records.list import app

    path = "/api/v1/records"
    event = {
        "version": "2.0",
        "routeKey": f"GET {path}",
        "rawPath": path,
        "rawQueryString": urlencode({**query, "page_size": PAGE_SIZE}),
        "headers": {"authorization": f"Bearer {tokens.issue(PERSON, PERSON, 'client').access}"},
        "requestContext": {
            "requestId": "bench",
            "stage": "$default",
            "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.7", "protocol": "HTTP/1.1"},
        },
        "isBase64Encoded": False,
    }

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
    """The log of the calls is written, to where nobody reads it."""
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
