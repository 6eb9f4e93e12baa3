"""The quote checks before a remote call whether the caller can pay."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.auth.caller import Credentials
from shared.billing import charges
from shared.errors import InsufficientCredit, InvalidInput, NotSignedIn
from tests.support.charging import charge
from tests.support.users import Person

pytestmark = pytest.mark.usefixtures("database_url")


def test_quote_rejects_a_remote_operation_that_the_caller_cannot_pay(client: Person) -> None:
    call = charges.Call(client.credentials, "random_string", "[]", "key")
    assert charges.quote(call) is None
    paid = charges.charge(call, "abc")
    assert charges.quote(call) == charges.StoredResponse(paid.body, replayed=True)
    for _ in range(3):
        charge(client)
    with pytest.raises(InsufficientCredit):
        charges.quote(replace(call, key=None))
    with pytest.raises(InvalidInput):
        charges.quote(replace(call, operation="cube_root", key=None))
    with pytest.raises(NotSignedIn):
        charges.quote(replace(call, presented=Credentials(session_id=uuid4())))
