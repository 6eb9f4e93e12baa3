"""The client: all routes of the service, and what is built on them."""

from __future__ import annotations

from restcalc._sync.files import Files
from restcalc._sync.operations import Operations
from restcalc._sync.records import Records
from restcalc._sync.service import Service
from restcalc._sync.sign_in import SignIn
from restcalc._sync.users import Users
from restcalc._sync.webhooks import Webhooks


class Client(SignIn, Operations, Records, Files, Users, Webhooks, Service):
    """A client of restcalculator.

        with Client(api_key="rc_…") as client:
            print((client.compute("addition", 1, 2)).result)

    Failed calls are sent again if that can charge nothing twice. All methods raise RestcalcError.
    """
