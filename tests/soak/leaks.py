"""Measure whether memory, open files and connections grow."""

import statistics
import threading
import time
from dataclasses import dataclass, field

import psutil

from localstack.stack import BATCH, GATEWAY, Stack
from shared.database.connection import Database
from shared.errors import ServiceUnavailable
from tests.soak.faults import batch_workers, gateway_workers

BATCH_WORKER = "batch worker"
MIB = 1024 * 1024
WARM_UP = 0.5
"""The share of the run that a slope excludes: libraries and connections are loaded at first use."""


@dataclass
class Series:
    """The measured values of one resource, as (seconds, value)."""

    points: list[tuple[float, float]] = field(default_factory=list)

    @property
    def max(self) -> float:
        return max(value for _, value in self.points)

    @property
    def slope(self) -> float:
        """The growth per minute, without the warm-up."""
        start = self.points[0][0] + WARM_UP * (self.points[-1][0] - self.points[0][0])
        warm = [point for point in self.points if point[0] >= start]
        return 60 * statistics.linear_regression(*zip(*warm, strict=True)).slope

    def __str__(self) -> str:
        first, last = self.points[0][1], self.points[-1][1]
        return f"{first:7.1f} first, {self.max:7.1f} max, {last:7.1f} last, {self.slope:+7.3f} a minute"


class ResourceMonitor:
    """Measure the processes that live as long as the stack, and the first batch worker."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._database = Database(stack.environment["AWS_PGSQL_PATH"])
        self._processes = {
            "gateway worker": gateway_workers(stack)[0],
            "gateway": psutil.Process(stack.pid(GATEWAY)),
            "event source": psutil.Process(stack.pid(BATCH)),
        }
        names = [*self._processes, BATCH_WORKER]
        self.memory, self.handles = ({name: Series() for name in names} for _ in range(2))
        """MiB of resident memory, and open files and sockets, by process."""
        self.connections = Series()
        """The number of connections of all functions to Postgres."""

    def run(self, until: threading.Event, interval: float) -> None:
        while not until.wait(interval):
            self.measure()

    def measure(self) -> None:
        now = time.monotonic()
        if BATCH_WORKER not in self._processes and (workers := batch_workers(self._stack)):
            self._processes[BATCH_WORKER] = workers[0]
        for name, process in self._processes.items():
            self.memory[name].points.append((now, process.memory_info().rss / MIB))
            self.handles[name].points.append((now, process.num_fds()))
        try:
            self.connections.points.append((now, self.count_connections()))
        except ServiceUnavailable:
            return  # the database is currently unreachable

    def count_connections(self) -> int:
        """Raises: ServiceUnavailable."""
        ((row),) = self._database.query(
            "SELECT count(*) AS connections FROM pg_stat_activity"
            " WHERE application_name = 'restcalculator' AND pid <> pg_backend_pid()",
            {},
        )
        return int(row["connections"])

    def close(self) -> None:
        self._database.dispose()

    def lines(self) -> list[str]:
        memory = [f"  MiB of the {name:16} {series}" for name, series in self.memory.items()]
        handles = [f"  files of the {name:14} {series}" for name, series in self.handles.items()]
        return [*memory, *handles, f"  connections to Postgres     {self.connections}"]
