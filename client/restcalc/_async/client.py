"""The client: all routes of the service, and what is built on them."""

from __future__ import annotations

from restcalc._async.files import AsyncFiles
from restcalc._async.operations import AsyncOperations
from restcalc._async.records import AsyncRecords
from restcalc._async.service import AsyncService
from restcalc._async.sign_in import AsyncSignIn
from restcalc._async.users import AsyncUsers
from restcalc._async.webhooks import AsyncWebhooks


class AsyncClient(
    AsyncSignIn, AsyncOperations, AsyncRecords, AsyncFiles, AsyncUsers, AsyncWebhooks, AsyncService
):
    """A client of restcalculator.

        async with AsyncClient(api_key="rc_…") as client:
            print((await client.compute("addition", 1, 2)).result)

    Failed calls are sent again if that can charge nothing twice. All methods raise RestcalcError.
    """
