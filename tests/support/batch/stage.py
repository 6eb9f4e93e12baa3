"""The steps of a worker's traffic with its database, bucket and queue, and faults injected at a step."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

BEFORE, DURING, AFTER = "before", "during", "after"
"""The request was sent but not forwarded; it was forwarded; the response arrived but was not forwarded."""

BILLING = (
    "peek_task",
    "HEAD file",
    "GET file",
    "lock_task",
    "start_task",
    "begin",
    "begin_chunk",
    "prices",
    "copy records",
    "copy records data",
    "copy records end",
    "copy errors",
    "copy errors data",
    "copy errors end",
    "end_chunk",
    "commit",
)
"""The steps of a worker that bills, in order."""
WRITING = (
    "begin results",
    "read results",
    "read results data",
    "PUT results",
    "complete results",
    "complete_task",
    "next_task",
)
"""The steps of a worker whose rows are all billed."""

WRITING_ENDED = ("receive_message", "claim_results", *WRITING[:5], "end_results")
"""The steps of a worker that writes the results of a task that ended without completing."""


@dataclass
class Fault:
    """Run `action` the nth time that a step reaches a moment, and `times` times in all.

    If the action returns False, the data is dropped and the connection closed.
    """

    step: str
    moment: str
    action: Callable[[], bool]
    nth: int = 1
    times: int = 1
    struck: int = 0


class Stage:
    """Record every step, and inject the expected fault."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._passed: Counter[tuple[str, str]] = Counter()
        self.now = ("nothing yet", AFTER)
        """The last recorded step and moment."""
        self.history: Counter[tuple[str, str]] = Counter()

    def expect(self, fault: Fault | None) -> None:
        """Reset the recorded steps, and expect a fault."""
        with self._lock:
            self._fault = fault
            self._passed.clear()
            self.now = ("nothing yet", AFTER)

    def passing(self, step: str, moment: str) -> bool:
        """Record a step and return whether the data may pass."""
        with self._lock:
            self.now = (step, moment)
            self.history[self.now] += 1
            self._passed[self.now] += 1
            fault = self._fault
            if fault is None or (fault.step, fault.moment) != self.now:
                return True
            if not fault.nth <= self._passed[self.now] < fault.nth + fault.times:
                return True
            fault.struck += 1
        return fault.action()
