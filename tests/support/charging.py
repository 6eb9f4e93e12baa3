"""Charges in tests, and the resulting balance, records and ledger entries."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shared.auth.caller import Credentials
from shared.billing import charges
from shared.database import UnitOfWork
from shared.errors import DomainError
from shared.idempotency import StoredResponse
from tests.support.users import Person

Sql = Callable[..., list[list[Any]]]


def charge(
    payer: Person | Credentials,
    key: str | None = None,
    *,
    operation: str = "addition",
    arguments: str = "[1, 2]",
) -> StoredResponse:
    presented = payer.credentials if isinstance(payer, Person) else payer
    return charges.charge(charges.Call(presented, operation, arguments, key), Decimal(3))


def hold_charge(uow: UnitOfWork, payer: Person, key: str) -> None:
    """Charge in a transaction that the caller commits."""
    call = charges.Call(payer.credentials, "addition", "[1, 2]", key)
    row = uow.only(call.statement, **call.parameters(), **charges.outcome(call, Decimal(3)))
    assert row["body"] is not None


def outcome_of(call: Callable[[], StoredResponse]) -> str:
    """Return `charged`, `replayed`, or the name of the error that a charge raises."""
    try:
        return "replayed" if call().replayed else "charged"
    except DomainError as error:
        return type(error).__name__


def balance_and_counts(sql: Sql, person: Person) -> tuple[Decimal, int, int]:
    """Return the balance, the number of records, and the number of charges in the ledger."""
    ((balance, records, entries),) = sql(
        """SELECT balance,
                  (SELECT count(*) FROM records WHERE user_id = u.id),
                  (SELECT count(*) FROM ledger WHERE user_id = u.id AND kind = 'charge')
           FROM users u WHERE id = :id""",
        id=person.id,
    )
    return balance, records, entries
