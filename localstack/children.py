"""Start, watch and stop the child processes of the offline cloud."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from localstack.fork_server import fork_server
from localstack.lifeline import READY

LineHandler = Callable[[str], None]


class Child:
    """Runs `main` of a module in `folder`, in its own session, so that Ctrl-C reaches only the parent.

    Its standard input is the lifeline (`localstack.lifeline`). A thread passes each line of its output to
    `on_line`, and calls `on_exit` after the process has ended, even if it crashed.

    Args:
        with_libraries: whether to wait until the fork server has imported the shared libraries.
    """

    def __init__(
        self,
        name: str,
        module: str,
        folder: Path,
        environment: Mapping[str, str],
        on_line: LineHandler,
        on_exit: Callable[["Child"], None] = lambda child: None,
        *,
        with_libraries: bool = True,
    ) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=20)
        self._on_line, self._on_exit = on_line, on_exit
        self._ready_or_ended, self._ready = threading.Event(), False
        self.pid, self._lifeline, self._output = fork_server().fork(
            module, folder, environment, with_libraries=with_libraries
        )
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Return whether the child signals its readiness (`localstack.lifeline`) within `timeout` seconds."""
        self._ready_or_ended.wait(timeout)
        return self._ready

    def terminate(self) -> None:
        """Send SIGTERM without waiting. `stop` must follow."""
        self._signal(os.kill, signal.SIGTERM)

    def stop(self, grace: float = 5) -> None:
        """Stop the process and its own children: SIGTERM, and SIGKILL after `grace` seconds."""
        self.terminate()
        self._reader.join(grace)
        self._signal(os.killpg, signal.SIGKILL)
        self._reader.join()
        os.close(self._lifeline)

    def _signal(self, send: Callable[[int, int], None], signum: int) -> None:
        """Send a signal, unless the process and its children have ended: its id may have a new owner."""
        if self._reader.is_alive():
            with suppress(ProcessLookupError, PermissionError):
                send(self.pid, signum)

    def _read(self) -> None:
        with open(self._output, encoding="utf-8", errors="replace") as output:
            for line in map(str.rstrip, output):
                if line == READY:
                    self._ready = True
                    self._ready_or_ended.set()
                    continue
                self.last_lines.append(line)
                self._on_line(line)
        self._ready_or_ended.set()
        self._on_exit(self)
