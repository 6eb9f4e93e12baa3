"""Write money as decimal strings for clients that ask for them by `Prefer: money=string` (RFC 7240).

Responses have all digits of money, but most JSON parsers read numbers as doubles, which keep 15 to 17 digits.
"""

from decimal import Decimal
from typing import Any

from shared import exact_json
from shared.exact_json import Number

PREFERENCE = "money=string"
# Tests compare both sets with the response models, whose import would slow down every function.
MONEY = frozenset(
    {
        *{"amount", "balance", "balance_after", "balance_before", "cost", "low_balance_threshold"},
        *{"max_spend", "spent", "user_balance"},
    }
)
"""The members that are money."""
CONTAINERS = frozenset(
    {
        *{"after", "api_keys", "audit_log", "before", "ledger", "operations", "records", "spend_limit"},
        *{"tasks", "usage", "users"},
    }
)
"""The members whose objects may contain money. Others, such as `arguments`, may contain any JSON."""


def prefers_strings(prefer: str) -> bool:
    """Whether a Prefer header asks for money as strings."""
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "money" and value.strip().strip('"') == "string":
            return True
    return False


def as_strings(body: str) -> str:
    """Return a JSON body with its money as strings. All other numbers keep their digits."""
    value = exact_json.loads(body)
    _convert(value)
    return exact_json.dumps(value)


def _convert(value: Any) -> None:
    if isinstance(value, list):
        for one in value:
            _convert(one)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in MONEY and isinstance(member, Number):
                value[name] = f"{Decimal(member):f}"
            elif name in CONTAINERS:
                _convert(member)
