"""Faults, injected one at a time."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from localstack.stack import BATCH, GATEWAY, Stack
from shared.database.connection import Database
from shared.errors import ServiceUnavailable
from tests.support.faults.tcp_proxy import TcpProxy

MAX_OUTAGE_SECONDS = 2.0
"""The longest time for which the database or the bucket is unreachable."""


class Faults:
    """Inject every kind of fault equally often, in an order that depends on the seed.

    The oldest worker of each kind is never killed, because ResourceMonitor measures it for the whole run.
    """

    def __init__(self, stack: Stack, proxy: TcpProxy, randomness: random.Random, pause: float) -> None:
        """Args:
        pause: the mean number of seconds between two faults.
        """
        self._stack, self._proxy, self._random, self._mean_pause = stack, proxy, randomness, pause
        self.counts = Counter[str]()
        self.all_injected = threading.Event()
        self.kinds: dict[str, Callable[[], bool]] = {
            "batch worker killed": self._kill_batch_worker,
            "gateway worker killed": self._kill_gateway_worker,
            "Postgres restarted": self._restart_postgres,
            "connections cut": self._cut_connections,
            "S3 and SQS refused": self._refuse,
        }

    def run(self, until: threading.Event) -> None:
        while not until.is_set():
            for name in self._random.sample(list(self.kinds), len(self.kinds)):
                if until.wait(self._random.uniform(0.5, 1.5) * self._mean_pause):
                    return
                self.counts[name] += self.kinds[name]()
            if all(self.counts[name] for name in self.kinds):
                self.all_injected.set()

    def _kill_batch_worker(self) -> bool:
        return self._kill(batch_workers(self._stack)[1:])

    def _kill_gateway_worker(self) -> bool:
        return self._kill(gateway_workers(self._stack)[1:])

    def _restart_postgres(self) -> bool:
        with self._stack.database_stopped():
            threading.Event().wait(self._random.uniform(0, MAX_OUTAGE_SECONDS))
        return True

    def _cut_connections(self) -> bool:
        database = Database(self._stack.environment["AWS_PGSQL_PATH"])
        try:
            cut = database.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'restcalculator' AND pid <> pg_backend_pid()",
                {},
            )
        except ServiceUnavailable:
            return False
        finally:
            database.dispose()
        return bool(cut)

    def _refuse(self) -> bool:
        with self._proxy.refusing():
            threading.Event().wait(self._random.uniform(0, MAX_OUTAGE_SECONDS))
        return True

    def _kill(self, processes: list[psutil.Process]) -> bool:
        with suppress(IndexError, psutil.NoSuchProcess):  # no process exists, or it has just ended
            self._random.choice(processes).kill()
            return True
        return False


def gateway_workers(stack: Stack) -> list[psutil.Process]:
    """Return the gateway's worker processes, the oldest first."""
    return _by_age(psutil.Process(stack.pid(GATEWAY)).children())


def batch_workers(stack: Stack) -> list[psutil.Process]:
    """Return the processes of the functions with a queue, the oldest first. None exist before a message."""
    (forks_functions,) = psutil.Process(stack.pid(BATCH)).children()
    return _by_age(forks_functions.children())


def _by_age(processes: list[psutil.Process]) -> list[psutil.Process]:
    return sorted(processes, key=lambda one: (one.create_time(), one.pid))
