"""What passes between a worker and its database, bucket and queue, step by step; and a fault that
waits there for its moment."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

BEFORE, DURING, AFTER = "before", "during", "after"
"""A request has been sent but not passed on; it has been passed on; its answer is there but not passed on."""

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
"""The steps of a worker that bills, in their order."""
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


@dataclass
class Fault:
    """What happens (`action`) at the nth time that a step reaches a moment, and `times` times on.

    The action says whether what was to pass still does; if not, the connection is cut.
    """

    step: str
    moment: str
    action: Callable[[], bool]
    nth: int = 1
    times: int = 1
    struck: int = 0


class Stage:
    """Notes every step, and lets the fault happen that it was given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._passed: Counter[tuple[str, str]] = Counter()
        self.now = ("nothing yet", AFTER)
        """The step and the moment that were noted last."""
        self.history: Counter[tuple[str, str]] = Counter()

    def expect(self, fault: Fault | None) -> None:
        """Forget what passed, and wait for this fault's moment."""
        with self._lock:
            self._fault = fault
            self._passed.clear()
            self.now = ("nothing yet", AFTER)

    def passing(self, step: str, moment: str) -> bool:
        """Note a step; whether it may pass."""
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
