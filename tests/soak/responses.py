"""The responses to all users, and those that are not expected."""

import threading
from collections import Counter
from collections.abc import Collection

import httpx

UNAVAILABLE = 503
BROKEN = "broken"
"""The connection ended before the response arrived."""


class Responses:
    """The recorded responses. All users' threads share it."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, str]]()
        """The number of responses by action and status, or BROKEN."""
        self.unexpected = list[str]()
        self._lock = threading.Lock()

    def record(self, action: str, response: httpx.Response, expected: Collection[int]) -> None:
        with self._lock:
            self.counts[action, str(response.status_code)] += 1
        if response.status_code not in (*expected, UNAVAILABLE):
            self.report(f"{action}: {response.status_code} {response.text[:300]}")

    def record_broken(self, action: str) -> None:
        with self._lock:
            self.counts[action, BROKEN] += 1

    def report(self, about: str) -> None:
        with self._lock:
            self.unexpected.append(about)

    def total(self, status: str = "") -> int:
        """Return the number of all responses, or of those with one status."""
        return sum(count for (_, was), count in self.counts.items() if status in ("", was))

    def lines(self) -> list[str]:
        """Return a line per action with the number of responses by status."""
        table: dict[str, list[str]] = {}
        for (action, status), count in sorted(self.counts.items()):
            table.setdefault(action, []).append(f"{status}: {count}")
        return [f"  {action:18} {', '.join(counts)}" for action, counts in table.items()]
