"""The quote: what is asked of another service only for who can pay."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared import billing
from shared.auth import Credentials
from shared.errors import InsufficientCredit, InvalidInput, NotSignedIn
from shared.unit_of_work import UnitOfWork
from tests.integration.charging import charge
from tests.integration.people import Person


def test_what_asks_another_service_is_not_computed_for_who_cannot_pay(
    uow: UnitOfWork, client: Person
) -> None:
    call = billing.Call(client.credentials, "random_string", "[]", "key")
    assert billing.quote(uow, call) is None
    paid = billing.charge(uow, call, "abc")
    assert billing.quote(uow, call) == billing.Answer(paid.body, replayed=True)
    for _ in range(3):
        charge(uow, client)
    with pytest.raises(InsufficientCredit):
        billing.quote(uow, replace(call, key=None))
    with pytest.raises(InvalidInput):
        billing.quote(uow, replace(call, operation="cube_root", key=None))
    with pytest.raises(NotSignedIn):
        billing.quote(uow, replace(call, presented=Credentials(session_id=uuid4())))
