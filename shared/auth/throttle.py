"""Rate limits by token buckets in the database. Statements take the tokens; `check` raises the error."""

import math
from decimal import Decimal

from shared.errors import TooManyRequests

FAILURES_PER_EMAIL = 5
FAILURES_PER_ADDRESS = 30
"""Failed sign-ins per minute. A successful sign-in takes no token."""


def sign_in_buckets(email: str, address: str) -> dict[str, str | int]:
    """Return the statement parameters of the two buckets of a sign-in."""
    return {
        "email_bucket": f"email:{email}",
        "email_capacity": FAILURES_PER_EMAIL,
        "address_bucket": f"address:{address}",
        "address_capacity": FAILURES_PER_ADDRESS,
    }


def check(wait: Decimal) -> None:
    """Raise TooManyRequests if the client has to wait.

    Args:
        wait: seconds until the bucket holds a token.
    """
    seconds = math.ceil(wait)
    if seconds > 0:
        raise TooManyRequests(f"Too many requests. Try again in {seconds} s.", retry_after=seconds)
