"""Who is busy while a benchmark runs: processors by the part of the service, Postgres' backends and disk."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pg8000.native
import psutil

EVERY = 0.1
"""Seconds between two looks at the backends."""

BACKENDS = """
SELECT coalesce(wait_event, 'computing') FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""

WRITTEN = "SELECT pg_current_wal_insert_lsn() - '0/0', pg_database_size(current_database())"


@dataclass
class Busy:
    """Who was busy.

    Args:
        idle: processors that nothing on this machine took, on average.
        parts: those that each part of the service took, without what watches it.
        wal, disk: bytes that were written into the log, and that the database grew by.
        backends: how often one was seen at work, by what it waited for, or "computing".
        looks: how often they were looked at.
        seconds: how long it was watched.
    """

    idle: float = 0
    parts: dict[str, float] = field(default_factory=dict)
    wal: float = 0
    disk: float = 0
    backends: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    seconds: float = 0

    @property
    def backends_at_once(self) -> float:
        return self.backends.total() / max(self.looks, 1)


class Watch:
    """Looks at the gateway that this process started, and at the Postgres of `database`."""

    def __init__(self, database: pg8000.native.Connection) -> None:
        self._database = database
        ((self._own_backend,),) = database.run("SELECT pg_backend_pid()")
        children = psutil.Process().children(recursive=True)
        self._parts: dict[str, psutil.Process] = {
            "gateway": next(child for child in children if "localstack.server" in _command(child)),
            "Postgres": psutil.Process(self._own_backend).parent(),
        }

    def until(self, done: Callable[[], bool]) -> Busy:
        """Watches until `done()`."""
        busy = Busy()
        (wal, disk), parts = self._written(), self._taken()
        idle, started = _idle(), time.perf_counter()
        while not done():
            busy.backends.update(event for (event,) in self._database.run(BACKENDS))
            busy.looks += 1
            time.sleep(EVERY)
        busy.seconds = seconds = time.perf_counter() - started
        busy.idle = (_idle() - idle) / seconds
        busy.parts = {part: (taken - parts[part]) / seconds for part, taken in self._taken().items()}
        busy.wal, busy.disk = (now - then for now, then in zip(self._written(), (wal, disk), strict=True))
        return busy

    def _written(self) -> tuple[float, float]:
        """Bytes of the log since the database was made, and of the database."""
        ((wal, disk),) = self._database.run(WRITTEN)
        return float(wal), float(disk)

    def _taken(self) -> dict[str, float]:
        """Seconds of a processor since a part began, without the backend that looks."""
        return {part: sum(map(self._seconds, _family(leader))) for part, leader in self._parts.items()}

    def _seconds(self, process: psutil.Process) -> float:
        if process.pid == self._own_backend:
            return 0.0
        with suppress(psutil.NoSuchProcess):  # it has just ended, and counts among its parent's children
            times = process.cpu_times()
            return float(times.user + times.system + times.children_user + times.children_system)
        return 0.0


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it has ended
        return []


def _family(leader: psutil.Process) -> list[psutil.Process]:
    return [leader, *leader.children()]


def _idle() -> float:
    """Seconds of a processor that were idle since the machine began."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0))
