"""Worker processes: each runs a real handler and can be killed at any time."""

import logging
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from shared.settings import settings

# Workers fork from a process that has imported everything, so a new one starts in milliseconds.
_FORKS = multiprocessing.get_context("forkserver")
PRELOADED = ["tests.support.batch.preloaded"]
_FORKS.set_forkserver_preload(PRELOADED)

Overrides = Mapping[str, Any]
"""Constants of the worker by `module.name`, which a test overrides."""


class WorkerDied(Exception):
    """The worker process ended while it handled an event."""


@dataclass
class Clock:
    """The handler's context, with the seconds that a Lambda function has left."""

    seconds: float

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def preload(module: str) -> None:
    """Import this module too before forking. Call it before the first worker starts."""
    _FORKS.set_forkserver_preload([*PRELOADED, module])


class WorkerProcess:
    """A process that runs a worker, or another handler, until it is killed or closed."""

    def __init__(
        self, environment: Mapping[str, str], overrides: Overrides, handler: str = "worker.handler.handler"
    ) -> None:
        self._connection, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(
            target=_serve, args=(theirs, dict(environment), dict(overrides), handler), daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def handle(self, event: Mapping[str, Any], seconds: float = 900) -> Any:
        """Return the handler's response to an event, with this many seconds left. Raises: WorkerDied."""
        try:
            self._connection.send(("handle", event, seconds))
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise WorkerDied from None

    def peak_memory(self) -> int:
        """Return the peak memory of the process in KiB."""
        self._connection.send(("peak_memory", None, 0))
        peak: int = self._connection.recv()
        return peak

    def kill(self) -> None:
        """Send SIGKILL, and leave it to the caller of `handle` to notice."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._connection.close()


def _serve(
    connection: "Connection[Any, Any]", environment: Mapping[str, str], overrides: Overrides, handler: str
) -> None:
    os.environ.update(environment)
    settings.cache_clear()  # a preloaded module may have read them
    for path, value in overrides.items():
        module, name = _found(path)
        setattr(module, name, value)
    logging.getLogger("restcalculator").setLevel(logging.WARNING)
    # Discard metrics. The logger still writes to the original stream.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    handle = getattr(*_found(handler))
    while True:
        try:
            request, event, seconds = connection.recv()
        except EOFError:
            return
        if request == "peak_memory":
            connection.send(_peak_memory())
        else:
            connection.send(handle(event, Clock(seconds)))


def _found(path: str) -> tuple[ModuleType, str]:
    """Return the module and the attribute name of `module.name`."""
    module, _, name = path.rpartition(".")
    found = import_module(module)
    assert hasattr(found, name), path
    return found, name


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
