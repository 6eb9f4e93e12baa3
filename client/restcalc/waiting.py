"""The intervals at which the progress of a task is requested."""

from __future__ import annotations

import time

from restcalc.errors import RestcalcError, WaitTimeout
from restcalc.retries import may_pass

FIRST_SECONDS = 0.2
LARGEST_SECONDS = 2.0
GROWTH = 1.5
LONGEST_OUTAGE_SECONDS = 300.0
"""A service that fails for longer, for example during a deploy, ends the waiting."""


class Intervals:
    """Growing intervals until a timeout."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._begin = self._reached = time.monotonic()
        self._next = FIRST_SECONDS

    def after(self, state: str) -> float:
        """Return the seconds to sleep after a response.

        Raises: WaitTimeout with the state after the timeout.
        """
        self._reached = time.monotonic()
        seconds = self._next
        self._next = min(self._next * GROWTH, LARGEST_SECONDS)
        if self._timeout is None:
            return seconds
        left = self._begin + self._timeout - self._reached
        if left <= 0:
            raise WaitTimeout(f"{state} after {self._timeout:g} s. It continues: wait again.")
        return min(seconds, left)

    def after_failure(self, error: RestcalcError) -> float:
        """Return the seconds to sleep after a request that failed. Raises the error if it does not pass."""
        now = time.monotonic()
        timed_out = self._timeout is not None and now > self._begin + self._timeout
        if timed_out or not may_pass(error) or now - self._reached > LONGEST_OUTAGE_SECONDS:
            raise error
        return LARGEST_SECONDS
