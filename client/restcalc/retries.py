"""Which failed calls are sent again, and when."""

from __future__ import annotations

import random

from restcalc.errors import Conflict, RestcalcError, TooManyRequests, Unreachable

FIRST_SECONDS = 0.25
LARGEST_SECONDS = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds. If the service wants a longer pause, the caller gets the error at once."""
PASSING = {500, 502, 503, 504}
"""Statuses after which the same request may succeed."""


def pause(error: RestcalcError, attempt: int, *, repeatable: bool) -> float | None:
    """Return the seconds until the next attempt. None if the call must not be repeated.

    Args:
        attempt: the number of the failed attempt, from 0.
        repeatable: whether a second execution of the call has no further effect.
    """
    if not may_pass(error) or (error.uncertain and not repeatable):
        return None
    backoff = min(FIRST_SECONDS * 2.0**attempt, LARGEST_SECONDS) * random.uniform(0.5, 1)  # noqa: S311 (no secret)
    if error.retry_after is None:
        return backoff
    return error.retry_after + backoff if error.retry_after <= LONGEST_RETRY_AFTER else None


def may_pass(error: RestcalcError) -> bool:
    """Return whether the same call may succeed later."""
    if isinstance(error, Conflict):
        return error.retry_after is not None  # the service sends it if the conflict passes by itself
    return isinstance(error, Unreachable | TooManyRequests) or error.status in PASSING
