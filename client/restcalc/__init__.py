"""The Python client of restcalculator.

from restcalc import Client

with Client() as client:
    client.login("ada@example.com", "Lovelace1!")
    print(client.compute("addition", 1, 2).result)
"""

from restcalc._async.client import AsyncClient
from restcalc._async.rows import AsyncRows
from restcalc._sync.client import Client
from restcalc._sync.rows import Rows
from restcalc.calls import UNCHANGED
from restcalc.codec import to_json
from restcalc.errors import (
    ApiError,
    Conflict,
    Forbidden,
    InsufficientCredit,
    InvalidInput,
    NotFound,
    NotSignedIn,
    RestcalcError,
    ServiceUnavailable,
    SpendLimitReached,
    TooManyRequests,
    TransferFailed,
    UnexpectedResponse,
    Unreachable,
    WaitTimeout,
)

__all__ = [
    "UNCHANGED",
    "ApiError",
    "AsyncClient",
    "AsyncRows",
    "Client",
    "Conflict",
    "Forbidden",
    "InsufficientCredit",
    "InvalidInput",
    "NotFound",
    "NotSignedIn",
    "RestcalcError",
    "Rows",
    "ServiceUnavailable",
    "SpendLimitReached",
    "TooManyRequests",
    "TransferFailed",
    "UnexpectedResponse",
    "Unreachable",
    "WaitTimeout",
    "to_json",
]
