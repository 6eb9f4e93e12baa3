"""The responses to each user, and those that have no explanation."""

import threading
from collections import Counter
from collections.abc import Collection

import httpx

UNAVAILABLE = 503
BROKEN = "broken"
"""The connection ended before the answer came."""


class Answers:
    """Shared by all users."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, str]]()
        """By what was asked and the status, or BROKEN."""
        self.unexplained = list[str]()
        self._lock = threading.Lock()

    def note(self, what: str, answer: httpx.Response, expected: Collection[int]) -> None:
        with self._lock:
            self.counts[what, str(answer.status_code)] += 1
        if answer.status_code not in (*expected, UNAVAILABLE):
            self.complain(f"{what}: {answer.status_code} {answer.text[:300]}")

    def note_broken(self, what: str) -> None:
        with self._lock:
            self.counts[what, BROKEN] += 1

    def complain(self, about: str) -> None:
        with self._lock:
            self.unexplained.append(about)

    def total(self, status: str = "") -> int:
        """All answers, or those of one status."""
        return sum(count for (_, was), count in self.counts.items() if status in ("", was))

    def lines(self) -> list[str]:
        """What was asked, and how often each status came."""
        table: dict[str, list[str]] = {}
        for (what, status), count in sorted(self.counts.items()):
            table.setdefault(what, []).append(f"{status}: {count}")
        return [f"  {what:18} {', '.join(counts)}" for what, counts in table.items()]
