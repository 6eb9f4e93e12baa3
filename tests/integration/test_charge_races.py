"""Concurrent charges on separate connections: each key charges once, and no credit is spent twice."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.database import UnitOfWork
from shared.errors import Conflict, InsufficientCredit
from tests.support.audit import mismatches
from tests.support.charging import balance_and_counts, charge, hold_charge, outcome_of
from tests.support.users import Person, create_person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]


def test_key_of_an_uncommitted_charge_raises_conflict(
    another_uow: AnotherUow, client: Person, sql: Sql
) -> None:
    other = another_uow()
    hold_charge(other, client, "key")
    with pytest.raises(Conflict):
        charge(client, "key")
    other.commit()
    assert charge(client, "key").replayed
    assert balance_and_counts(sql, client) == (15, 1, 1)


@pytest.mark.parametrize("callers", [2, 8])
def test_concurrent_charges_with_one_key_charge_once(client: Person, sql: Sql, callers: int) -> None:
    for round_ in range(1, 4):
        outcomes = run_concurrently(
            callers,
            lambda _, key=f"key {round_}": outcome_of(lambda: charge(client, key)),
        )
        assert Counter(outcomes)["charged"] == 1
        assert set(outcomes) <= {"charged", "replayed", "Conflict"}
        assert balance_and_counts(sql, client) == (20 - 5 * round_, round_, round_)
        assert charge(client, f"key {round_}").replayed


def test_concurrent_charges_that_fail_report_the_insufficient_balance() -> None:
    person = create_person(balance=7)

    def reported_balance(_: int) -> Decimal | None:
        try:
            charge(person)
        except InsufficientCredit as error:
            return error.balance
        return None

    assert Counter(run_concurrently(8, reported_balance)) == {None: 1, Decimal(2): 7}


def test_fifty_concurrent_charges_with_credit_for_ten_charge_ten_times(sql: Sql) -> None:
    person = create_person(balance=50)
    outcomes = run_concurrently(50, lambda _: outcome_of(lambda: charge(person)))
    assert Counter(outcomes) == {"charged": 10, "InsufficientCredit": 40}
    assert balance_and_counts(sql, person) == (0, 10, 10)
    assert mismatches() == []
    chain = sql("SELECT balance_after FROM ledger WHERE user_id = :id ORDER BY seq", id=person.id)
    assert [after for (after,) in chain] == [Decimal(50 - 5 * n) for n in range(11)]
