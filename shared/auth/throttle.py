"""The throttle: token buckets in the database. A failed sign-in takes a token, and so does a new upload."""

import math
from decimal import Decimal

from shared.errors import TooManyRequests

FAILURES_PER_EMAIL = 5
FAILURES_PER_ADDRESS = 30
"""Failed sign-ins per minute. Successful ones take no token."""


def sign_in_buckets(email: str, address: str) -> dict[str, str | int]:
    """Return the statement parameters of the two buckets of a sign-in."""
    return {
        "email_bucket": f"email:{email}",
        "email_capacity": FAILURES_PER_EMAIL,
        "address_bucket": f"address:{address}",
        "address_capacity": FAILURES_PER_ADDRESS,
    }


def check(wait: Decimal) -> None:
    """Raise TooManyRequests if the caller has to wait.

    Args:
        wait: in seconds.
    """
    seconds = math.ceil(wait)
    if seconds > 0:
        raise TooManyRequests(f"Try again in {seconds} s.", headers={"Retry-After": str(seconds)})
