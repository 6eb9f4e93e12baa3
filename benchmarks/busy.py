"""Sample a benchmark's resources: processor time by part of the service, Postgres' backends and disk."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pg8000.native
import psutil

SAMPLE_SECONDS = 0.1
"""Interval between two samples of the backends."""

BACKENDS = """
SELECT coalesce(wait_event, 'computing') FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""

WRITTEN = "SELECT pg_current_wal_insert_lsn() - '0/0', pg_database_size(current_database())"


@dataclass
class Busy:
    """The resources that were used during the measurement.

    Args:
        idle: idle processors of the machine, on average.
        parts: processors that each part of the service used, without the sampling itself.
        wal, disk: bytes written to the write-ahead log, and by which the database grew.
        backends: number of samples of an active backend, by the event that it waited for, or "computing".
        samples: number of samples.
        seconds: duration of the measurement.
    """

    idle: float = 0
    parts: dict[str, float] = field(default_factory=dict)
    wal: float = 0
    disk: float = 0
    backends: Counter[str] = field(default_factory=Counter)
    samples: int = 0
    seconds: float = 0

    @property
    def backends_at_once(self) -> float:
        """Backends that were active at the same time, on average."""
        return self.backends.total() / max(self.samples, 1)


class Watch:
    """Samples the Postgres of `database`, and further parts by the ids of their first processes."""

    def __init__(self, database: pg8000.native.Connection, **parts: int) -> None:
        self._database = database
        ((self._own_backend,),) = database.run("SELECT pg_backend_pid()")
        self._parts = {name: psutil.Process(pid) for name, pid in parts.items()}
        self._parts["Postgres"] = psutil.Process(self._own_backend).parent()

    def until(self, done: Callable[[], bool]) -> Busy:
        """Sample until `done()` returns True, and return the measurement."""
        busy = Busy()
        (wal, disk), parts = self._written(), self._processor_seconds()
        idle, started = _idle(), time.perf_counter()
        while not done():
            busy.backends.update(event for (event,) in self._database.run(BACKENDS))
            busy.samples += 1
            time.sleep(SAMPLE_SECONDS)
        busy.seconds = seconds = time.perf_counter() - started
        busy.idle = (_idle() - idle) / seconds
        busy.parts = {
            part: (used - parts[part]) / seconds for part, used in self._processor_seconds().items()
        }
        busy.wal, busy.disk = (now - then for now, then in zip(self._written(), (wal, disk), strict=True))
        return busy

    def _written(self) -> tuple[float, float]:
        """Return the bytes of the log since the database was created, and the size of the database."""
        ((wal, disk),) = self._database.run(WRITTEN)
        return float(wal), float(disk)

    def _processor_seconds(self) -> dict[str, float]:
        """Return the processor time of each part since its start, without the backend that samples."""
        return {part: sum(map(self._seconds, _family(leader))) for part, leader in self._parts.items()}

    def _seconds(self, process: psutil.Process) -> float:
        if process.pid == self._own_backend:
            return 0.0
        with suppress(psutil.NoSuchProcess):  # a process that has just ended counts as its parent's child
            times = process.cpu_times()
            return float(times.user + times.system + times.children_user + times.children_system)
        return 0.0


def _family(leader: psutil.Process) -> list[psutil.Process]:
    return [leader, *leader.children(recursive=True)]


def _idle() -> float:
    """Return the idle processor time in seconds since the machine started."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0))
