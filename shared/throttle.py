"""Who may try again, and when: token buckets in the database (`take_token`)."""

import math
from decimal import Decimal

from shared.errors import TooManyRequests

ATTEMPTS_PER_EMAIL = 5
ATTEMPTS_PER_ADDRESS = 30
"""Failed sign-ins a minute; a successful one gives its token back."""


def sign_in_buckets(email: str, address: str) -> dict[str, str | int]:
    """The parameters of the two buckets of a sign-in attempt."""
    return {
        "email_bucket": f"email:{email}",
        "email_capacity": ATTEMPTS_PER_EMAIL,
        "address_bucket": f"address:{address}",
        "address_capacity": ATTEMPTS_PER_ADDRESS,
    }


def check(*waits: Decimal) -> None:
    """Raises: TooManyRequests when one of the buckets makes the caller wait (seconds)."""
    wait = math.ceil(max(waits))
    if wait > 0:
        raise TooManyRequests(f"Try again in {wait} s.", headers={"Retry-After": str(wait)})
