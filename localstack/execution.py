"""A Lambda execution environment: a process that runs one function, one invocation at a time."""

import multiprocessing
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from deploy.serverless_file import Function
from localstack.runtime import Runtime

_SPAWN = multiprocessing.get_context("spawn")


class InvocationFailed(Exception):
    """The handler raised or timed out, or its process died."""


class _Outcome(Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "timed out or exited, so the state of the process is unknown"


class ExecutionEnvironment:
    """Starts a process at the first invocation and reuses it. Replaces it after a crash or a timeout."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._process: SpawnProcess | None = None
        self._connection: Connection[Any, Any] | None = None

    def invoke(self, event: Mapping[str, Any], heartbeat: tuple[float, Callable[[], None]]) -> Any:
        """Invoke the handler and return its result.

        Any exception kills the process; otherwise its late response would answer the next invocation.

        Args:
            heartbeat: an interval in seconds, and a function to call at that interval.

        Raises: InvocationFailed, and exceptions of the heartbeat.
        """
        connection = self._started()
        # The function's process raises at its timeout. This second limit is for a handler that blocks
        # signals.
        deadline = time.monotonic() + self._function.timeout + 1
        interval, beat = heartbeat
        try:
            connection.send(event)
            while not connection.poll(max(0, min(interval, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    raise InvocationFailed(f"Task timed out after {self._function.timeout} seconds")
                beat()
            outcome, result = connection.recv()
        except (EOFError, OSError):
            self.kill()
            raise InvocationFailed("the function's process died") from None
        except BaseException:
            self.kill()
            raise
        if outcome is _Outcome.INTERRUPTED:
            self.kill()
        if outcome is not _Outcome.SUCCEEDED:
            raise InvocationFailed(result)
        return result

    def kill(self) -> None:
        """Kill the process immediately, as Lambda does at the end of an environment."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.join()

    def _started(self) -> "Connection[Any, Any]":
        if self._process is None or self._connection is None or not self._process.is_alive():
            self._connection, childs_end = _SPAWN.Pipe()
            self._process = _SPAWN.Process(target=_serve, args=(childs_end, self._function), daemon=True)
            self._process.start()
            childs_end.close()
        return self._connection


def _serve(connection: "Connection[Any, Any]", function: Function) -> None:
    """Handle invocations in the child process until the parent closes the connection."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    runtime = Runtime()
    with suppress(EOFError, BrokenPipeError):
        while True:
            event = connection.recv()
            try:
                connection.send((_Outcome.SUCCEEDED, runtime.invoke(function, event)))
            except BaseException as error:
                sys.stderr.write(traceback.format_exc())
                outcome = _Outcome.FAILED if isinstance(error, Exception) else _Outcome.INTERRUPTED
                connection.send((outcome, f"{type(error).__name__}: {error}"))
