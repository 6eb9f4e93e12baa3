"""The quote: what is asked of another service only for who can pay."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.auth.caller import Credentials
from shared.billing import charges
from shared.database.unit_of_work import UnitOfWork
from shared.errors import InsufficientCredit, InvalidInput, NotSignedIn
from tests.support.charging import charge
from tests.support.users import Person


def test_what_asks_another_service_is_not_computed_for_who_cannot_pay(
    uow: UnitOfWork, client: Person
) -> None:
    call = charges.Call(client.credentials, "random_string", "[]", "key")
    assert charges.quote(uow, call) is None
    paid = charges.charge(uow, call, "abc")
    assert charges.quote(uow, call) == charges.Answer(paid.body, replayed=True)
    for _ in range(3):
        charge(uow, client)
    with pytest.raises(InsufficientCredit):
        charges.quote(uow, replace(call, key=None))
    with pytest.raises(InvalidInput):
        charges.quote(uow, replace(call, operation="cube_root", key=None))
    with pytest.raises(NotSignedIn):
        charges.quote(uow, replace(call, presented=Credentials(session_id=uuid4())))
