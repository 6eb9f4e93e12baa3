"""Time searches among millions of records of one user: `python -m benchmarks.search`.

Prints medians, and how many rows the statements read: the search, and the one for the next cursor, which runs
only if the matches do not fill the page. Fails if one reads more than twice the window.
"""

import json
import statistics
import time
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlencode

from benchmarks.embedded_postgres import connect, migrated
from benchmarks.lists import FILL, PERSON
from shared import database
from shared.auth.caller import Caller
from shared.lists.query import parse
from shared.lists.read_page import SEARCH_WINDOW, read_page, split_query
from shared.lists.registry import RECORDS
from shared.lists.sql import search_sql, window_end_sql
from tests.support.plans import Plan, rows_read

TEXTS = {
    "each record matches": "addition",
    "one in a thousand matches": "999",
    "no record matches": "absent",
}


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with migrated() as postgres:
        with connect(postgres.url) as connection:
            connection.run(FILL.format(person=PERSON, rows=options.rows))
            connection.run("VACUUM ANALYZE")
        for caller in (Caller(PERSON, "client"), Caller(PERSON, "admin")):
            for what, text in TEXTS.items():
                measure(f"{caller.role}, {what}", caller, {"search": text}, options.rounds)
            after = {"search": "absent", "cursor": cursor_after(caller, options.rows // 2)}
            measure(f"{caller.role}, no record matches, from the middle", caller, after, options.rounds)


def cursor_after(caller: Caller, skipped: int) -> str:
    """Return the cursor after this many records, rounded up to a window."""
    query = {"search": "absent"}
    for _ in range(-(-skipped // SEARCH_WINDOW)):
        query["cursor"] = json.loads(read_page(RECORDS, urlencode(query), caller))["next_cursor"]
    return query["cursor"]


def measure(what: str, caller: Caller, query: dict[str, str], rounds: int) -> None:
    """Print the median time of a search and the rows that its statements read."""
    samples = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        read_page(RECORDS, urlencode(query), caller)
        samples.append((time.perf_counter() - began) * 1000)
    shape, values = split_query(RECORDS, parse(urlencode(query), RECORDS.public, may_search=True), caller)
    values["window"] = SEARCH_WINDOW
    read = [
        rows_read(plan_of(sql(RECORDS, shape), values), "records") for sql in (search_sql, window_end_sql)
    ]
    assert max(read) <= 2 * SEARCH_WINDOW, read
    # The first round warms up.
    print(f"{what}: {statistics.median(samples[1:]):,.1f} ms; rows read {read}", flush=True)


def plan_of(sql: str, values: dict[str, Any]) -> Plan:
    """Run a statement and return its plan."""
    ((explanation,),) = (
        row.values() for row in database.query(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
    )
    plan: Plan = explanation[0]["Plan"]
    return plan


if __name__ == "__main__":
    main()
