"""The intervals at which the progress of a task is requested."""

from __future__ import annotations

import time

from restcalc.errors import WaitTimeout

FIRST_SECONDS = 0.2
LARGEST_SECONDS = 2.0
GROWTH = 1.5


class Intervals:
    """Growing intervals until a timeout."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._begin = time.monotonic()
        self._next = FIRST_SECONDS

    def next(self, state: str) -> float:
        """Return the seconds to sleep.

        Raises: WaitTimeout with the state after the timeout.
        """
        seconds = self._next
        self._next = min(self._next * GROWTH, LARGEST_SECONDS)
        if self._timeout is None:
            return seconds
        left = self._begin + self._timeout - time.monotonic()
        if left <= 0:
            raise WaitTimeout(f"{state} after {self._timeout:g} s. It continues: wait again.")
        return min(seconds, left)
