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
    """The handler raised, ran out of time, or its process died."""


class _Outcome(Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LEFT_UNKNOWN = "a timeout or an exit: nobody knows in what state the process is"


class ExecutionEnvironment:
    """Made at the first invocation and kept for the next; after a crash or a timeout made anew."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._process: SpawnProcess | None = None
        self._connection: Connection[Any, Any] | None = None

    def invoke(self, event: Mapping[str, Any], heartbeat: tuple[float, Callable[[], None]]) -> Any:
        """The handler's answer. `heartbeat` is called whenever its seconds have passed meanwhile.

        Raises: InvocationFailed, or what `heartbeat` raises. An answer that nobody waits for any more ends
        with its process: the next invocation would take it for its own.
        """
        connection = self._started()
        # The function's own process raises at its timeout; this is for one that blocks even that.
        deadline = time.monotonic() + self._function.timeout + 1
        interval, beat = heartbeat
        try:
            connection.send(event)
            while not connection.poll(max(0, min(interval, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    raise InvocationFailed(f"Task timed out after {self._function.timeout} seconds")
                beat()
            outcome, answer = connection.recv()
        except (EOFError, OSError):
            self.kill()
            raise InvocationFailed("the function's process died") from None
        except BaseException:
            self.kill()
            raise
        if outcome is _Outcome.LEFT_UNKNOWN:
            self.kill()
        if outcome is not _Outcome.SUCCEEDED:
            raise InvocationFailed(answer)
        return answer

    def kill(self) -> None:
        """Ends the process where it stands, as the end of a Lambda environment does."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.join()

    def _started(self) -> "Connection[Any, Any]":
        if self._process is None or self._connection is None or not self._process.is_alive():
            self._connection, theirs = _SPAWN.Pipe()
            self._process = _SPAWN.Process(target=_serve, args=(theirs, self._function), daemon=True)
            self._process.start()
            theirs.close()
        return self._connection


def _serve(connection: "Connection[Any, Any]", function: Function) -> None:
    """What runs in the process: invocations, until the other end of the connection is gone."""
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
                outcome = _Outcome.FAILED if isinstance(error, Exception) else _Outcome.LEFT_UNKNOWN
                connection.send((outcome, f"{type(error).__name__}: {error}"))
