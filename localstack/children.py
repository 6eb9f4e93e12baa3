"""Start, watch and stop the child processes of the offline cloud."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from deploy.environment import ROOT
from localstack.lifeline import READY

LineHandler = Callable[[str], None]


class Child:
    """Runs `python -m module` in `folder`, in its own session, so that Ctrl-C reaches only the parent.

    Its standard input is the lifeline (`localstack.lifeline`). A thread passes each line of its output to
    `on_line`, and calls `on_exit` after the process has ended, even if it crashed.
    """

    def __init__(
        self,
        name: str,
        module: str,
        folder: Path,
        environment: Mapping[str, str],
        on_line: LineHandler,
        on_exit: Callable[["Child"], None] = lambda child: None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=20)
        self._on_line, self._on_exit = on_line, on_exit
        self._ready_or_ended, self._ready = threading.Event(), False
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            # The child imports this package from the project's root, because `folder` may be a test's.
            env={**environment, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait up to `timeout` seconds for the process to end, and return its exit code.

        All its output has been passed to `on_line` by then.
        """
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        return code

    def wait_until_ready(self, timeout: float) -> bool:
        """Return whether the child signals its readiness (`localstack.lifeline`) within `timeout` seconds."""
        self._ready_or_ended.wait(timeout)
        return self._ready

    def terminate(self) -> None:
        """Send SIGTERM without waiting. `stop` must follow."""
        self._process.terminate()

    def stop(self, grace: float = 5) -> None:
        """Stop the process and its own children: SIGTERM, and SIGKILL after `grace` seconds."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(1)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (for mypy; it is a pipe)
        with suppress(ValueError):  # `stop` closes the stream
            for line in map(str.rstrip, self._process.stdout):
                if line == READY:
                    self._ready = True
                    self._ready_or_ended.set()
                    continue
                self.last_lines.append(line)
                self._on_line(line)
        self._process.wait()
        self._ready_or_ended.set()
        self._on_exit(self)
