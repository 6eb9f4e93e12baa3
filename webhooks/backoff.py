"""When a delivery is retried. record_attempt.sql computes when a failing webhook gets its next request."""

import random

# The example schedule of the Standard Webhooks specification: ten attempts in three days.
_DELAYS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
ATTEMPTS_LIMIT = len(_DELAYS) + 1
"""Attempts of a delivery."""
JITTER = 0.1
"""Largest random extension of a delay, as a share of it, so that deliveries that failed together spread."""


def retry_delay(number: int, retry_after: int | None = None) -> float | None:
    """Return the seconds until the next attempt of a delivery, or None if there is none.

    Args:
        number: of the attempt that failed.
        retry_after: the seconds that the receiver asked for.
    """
    if number >= ATTEMPTS_LIMIT:
        return None
    delay = max(_DELAYS[max(number, 1) - 1], retry_after or 0)
    return delay * random.uniform(1, 1 + JITTER)  # noqa: S311  (needs no secrecy)
