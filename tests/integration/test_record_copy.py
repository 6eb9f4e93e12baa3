"""Records in COPY's binary format: Postgres reads back what the worker has written."""

from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate
from operator import sub
from random import Random
from typing import Any

import pytest

from shared.database import UnitOfWork
from shared.ids import uuid7
from shared.operations.catalog import arguments_json
from worker.argument_cells import UNCHANGED_CELL_LIMIT, parse_cell, parse_cells
from worker.blocks import Block
from worker.record_copy import COPY_RECORDS, HEADER, TRAILER, UNITS, RecordCopy

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]

COSTS = [
    "0",
    "0.0001",
    "0.9999",
    "1",
    "9999.9999",
    "10000",
    "123456.7891",
    "99999999.9999",
    "31415926535.8979",
]
LARGEST = 10**18 - 1
"""The largest balance in units of money."""
RESULTS = ["1", "0.3333333333333333", '"' + "aZ9" * 10 + '"', '"' + "\\\\ \\u20ac" * 300 + '"']
ARGUMENTS = ["[]", "[1, 2.50]", "[" + ", ".join(["12345678901234567890"] * 100) + "]"]


@pytest.mark.parametrize("balance", [LARGEST, 10**12 + 10**8, 10**8, 99_999_999, 10_000, 1])
def test_postgres_reads_back_the_records_of_binary_blocks(balance: int, sql: Sql) -> None:
    random, names = Random(balance), [f"operation {number}" for number in range(len(COSTS))]
    prices = {name: (uuid7(), Decimal(cost)) for name, cost in zip(names, COSTS, strict=True)}
    user_id, task_id, first, left, written = uuid7(), uuid7(), 250, balance, list[tuple[object, ...]]()
    records = RecordCopy(user_id, task_id, prices, balance, 1_000_000, first, 900)
    copied = [HEADER]
    for _ in range(3):
        affordable = [name for name, (_, cost) in prices.items() if cost * UNITS * 300 <= left]
        block = Block(
            [],
            [random.choice([*affordable, random.choice(affordable), None]) for _ in range(300)],
            random.choices(ARGUMENTS, k=300),
            random.choices(RESULTS, k=300),
            {},
        )
        costs = [int(prices[name][1] * UNITS) if name else 0 for name in block.operations]
        balances = list(accumulate(costs, sub, initial=left))
        copied.append(records.block(block, balances, 300))
        columns = (block.operations, block.arguments, block.results, balances[1:])
        for row, (name, sent, result, after) in enumerate(zip(*columns, strict=True), first):
            if name:
                id, cost = prices[name]
                written.append((row, id, sent, result, cost, Decimal(after) / UNITS))
        first, left = first + 300, balances[-1]
    with UnitOfWork() as uow:
        uow.copy_in(COPY_RECORDS, [*copied, TRAILER])
        uow.commit()
    read = sql(
        """SELECT task_row, operation_id, arguments, operation_response, amount, user_balance,
                  user_id = :user_id AND date = '2000-01-01 00:00:01Z' AND deleted_at IS NULL, id
           FROM records WHERE task_id = :task_id ORDER BY task_row""",
        user_id=user_id,
        task_id=task_id,
    )
    expected = sql(
        "SELECT DISTINCT text, text::jsonb FROM unnest(:texts::text[]) text", texts=ARGUMENTS + RESULTS
    )
    json = {text: value for text, value in expected}
    assert [tuple(row[:6]) for row in read] == [
        (row, id, json[sent], json[result], cost, after) for row, id, sent, result, cost, after in written
    ]
    assert {row[6] for row in read} == {True}
    ids = [row[7] for row in read]
    assert ids == sorted(set(ids))
    assert {id.version for id in ids} <= {7}


def test_postgres_stores_a_plain_cell_like_the_arguments_of_a_charge(sql: Sql) -> None:
    random, cells = Random(7), list[str]()
    for _ in range(2000):
        numbers = [
            f"{random.choice(['', '-'])}{random.randrange(10 ** random.randrange(16))}"
            + random.choice(
                ["", ".0", f".{random.randrange(10**15):015}", f".{'0' * random.randrange(13)}10"]
            )
            for _ in range(random.randrange(1, 8))
        ]
        cells.append(f"[{random.choice([',', ', ', ' ,  ']).join(numbers)}]")
    plain = [text for text, numbers in zip(cells, parse_cells(cells), strict=True) if numbers is not None]
    assert len(plain) > 1000
    charged = [arguments_json(found) for text in plain if isinstance(found := parse_cell(text), list)]
    # A zero of a short cell keeps its decimal places.
    pairs = [pair for pair in zip(plain, charged, strict=True) if len(pair[0]) > UNCHANGED_CELL_LIMIT]
    assert len(pairs) > 500
    differing = sql(
        """SELECT sent, recorded FROM unnest(:sent::text[], :recorded::text[]) AS t (sent, recorded)
           WHERE sent::jsonb::text <> recorded::jsonb::text""",
        sent=[sent for sent, _ in pairs],
        recorded=[recorded for _, recorded in pairs],
    )
    assert differing == []
