"""Charges at the same time, each over its own connection: one key is one charge, no credit is spent twice."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.billing import charges
from shared.database import UnitOfWork
from shared.errors import Conflict, InsufficientCredit
from tests.support.charging import books, charge, hold_charge, kind_of
from tests.support.users import Person, at_once, enrol

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
AnotherUow = Callable[[], UnitOfWork]


def test_a_key_that_is_being_worked_on_is_a_conflict(
    another_uow: AnotherUow, client: Person, sql: Sql
) -> None:
    other = another_uow()
    hold_charge(other, client, "key")
    with pytest.raises(Conflict):
        charge(client, "key")
    other.commit()
    assert charge(client, "key").replayed
    assert books(sql, client) == (15, 1, 1)


@pytest.mark.parametrize("racers", [2, 8])
def test_a_race_for_one_key_ends_in_one_charge_and_its_answer(client: Person, sql: Sql, racers: int) -> None:
    for round_ in range(1, 4):
        ends = at_once(
            racers,
            lambda _, key=f"key {round_}": kind_of(lambda: charge(client, key)),
        )
        assert Counter(ends)["charged"] == 1
        assert set(ends) <= {"charged", "replayed", "Conflict"}
        assert books(sql, client) == (20 - 5 * round_, round_, round_)
        assert charge(client, f"key {round_}").replayed


def test_who_lost_the_race_for_the_last_credit_is_told_a_balance_that_did_not_do() -> None:
    person = enrol(balance=7)

    def told(_: int) -> Decimal | None:
        try:
            charge(person)
        except InsufficientCredit as error:
            return error.balance
        return None

    assert Counter(at_once(8, told)) == {None: 1, Decimal(2): 7}


def test_fifty_at_once_on_credit_for_ten_are_ten_charges_and_forty_refusals(sql: Sql) -> None:
    person = enrol(balance=50)
    ends = at_once(50, lambda _: kind_of(lambda: charge(person)))
    assert Counter(ends) == {"charged": 10, "InsufficientCredit": 40}
    assert books(sql, person) == (0, 10, 10)
    assert charges.audit() == []
    chain = sql("SELECT balance_after FROM ledger WHERE user_id = :id ORDER BY seq", id=person.id)
    assert [after for (after,) in chain] == [Decimal(50 - 5 * n) for n in range(11)]
