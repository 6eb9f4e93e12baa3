"""The Python client of restcalculator.

from restcalc import Client

with Client() as client:
    client.login("ada@example.com", "Lovelace1!")
    print(client.compute("addition", 1, 2).result)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "AsyncClient": "_async.client",
    "AsyncRows": "_async.rows",
    "Client": "_sync.client",
    "Rows": "_sync.rows",
    "UNCHANGED": "calls",
    "to_json": "codec",
}
"""Where the names are. Those of errors are in `errors`."""


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: a program needs one of the two clients, and `--help` none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"restcalc.{_MODULES.get(name, 'errors')}"), name)
