"""A Lambda execution environment: a process that runs one function, one invocation at a time."""

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from deploy.serverless_file import Function
from localstack.forking import ask_for_fork, fork_for_requests
from localstack.runtime import Runtime


class InvocationFailed(Exception):
    """The handler raised or timed out, or its process died."""


class _Outcome(Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "timed out or exited, so the state of the process is unknown"


class FunctionProcesses:
    """Forks the functions' processes from a copy of this one, so that none imports the libraries again.

    Create it before the first thread: a copy has only the thread that forks, and all locks of the others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, served = socket.socketpair()
        if os.fork() == 0:
            self._requests.close()
            try:
                for descriptor in fork_for_requests(served):
                    _serve(Connection(descriptor))
            except BaseException:
                traceback.print_exc()
            os._exit(0)  # without the cleanup of the process that this is a copy of
        served.close()

    def start(self) -> "tuple[int, Connection[Any, Any]]":
        """Start a process for one function. Return its id and a connection: send the Function first.

        Raises: InvocationFailed if the process that forks has ended.
        """
        connection, served = Pipe()
        with served, self._lock:
            pid = ask_for_fork(self._requests, b"0", [served.fileno()])
        if not pid:
            raise InvocationFailed("the process that starts the functions has ended")
        return pid, connection

    def close(self) -> None:
        """End the process that forks. A function's process ends with its environment."""
        self._requests.close()


class ExecutionEnvironment:
    """Starts a process at the first invocation and reuses it. Replaces it after a crash or a timeout."""

    def __init__(self, function: Function, processes: FunctionProcesses) -> None:
        self._function, self._processes = function, processes
        self._pid = 0
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
        pid, self._pid = self._pid, 0
        with suppress(ProcessLookupError):
            # Otherwise it has ended, and its id belongs to another process.
            while pid and os.getpgid(pid) == os.getpgrp():
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)

    def _started(self) -> "Connection[Any, Any]":
        # Between invocations nothing can be read but the end of the process.
        if not self._pid or self._connection is None or self._connection.poll():
            self._pid, self._connection = self._processes.start()
            self._connection.send(self._function)
        return self._connection


def _serve(connection: "Connection[Any, Any]") -> None:
    """Handle a function's invocations in its process until the parent closes the connection."""
    os.set_inheritable(connection.fileno(), False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    runtime = Runtime()
    with suppress(EOFError, BrokenPipeError):
        function = connection.recv()
        while True:
            event = connection.recv()
            try:
                connection.send((_Outcome.SUCCEEDED, runtime.invoke(function, event)))
            except BaseException as error:
                sys.stderr.write(traceback.format_exc())
                outcome = _Outcome.FAILED if isinstance(error, Exception) else _Outcome.INTERRUPTED
                connection.send((outcome, f"{type(error).__name__}: {error}"))
