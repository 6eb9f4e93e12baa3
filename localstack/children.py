"""The child processes of the offline cloud: started, listened to, watched and ended as one."""

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

LineTaker = Callable[[str], None]


class Child:
    """One `python -m module`, run in `folder`, and in a session of its own: only we hear Ctrl-C.

    Its standard input is the lifeline (`localstack.lifeline`); each line of its output goes to
    `on_line`; `on_exit` is called when it has ended, expected or not.
    """

    def __init__(
        self,
        name: str,
        module: str,
        folder: Path,
        environment: Mapping[str, str],
        on_line: LineTaker,
        on_exit: Callable[["Child"], None] = lambda child: None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=20)
        self._on_line, self._on_exit = on_line, on_exit
        self._said, self._ready = threading.Event(), False
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            # This package stays importable wherever the service's own files are.
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
        """Its exit code, once it has ended and all of its output is read; `timeout` in seconds."""
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        return code

    def wait_until_ready(self, timeout: float) -> bool:
        """Whether it says that it is ready (`localstack.lifeline`) within `timeout` seconds."""
        self._said.wait(timeout)
        return self._ready

    def terminate(self) -> None:
        """Asks it to end; `stop` sees to it."""
        self._process.terminate()

    def stop(self, grace: float = 5) -> None:
        """Ends it and whatever it started; by force after `grace` seconds."""
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
        assert self._process.stdout is not None  # noqa: S101  (told to mypy; it is a pipe)
        with suppress(ValueError):  # closed under us at the end
            for line in map(str.rstrip, self._process.stdout):
                if line == READY:
                    self._ready = True
                    self._said.set()
                    continue
                self.last_lines.append(line)
                self._on_line(line)
        self._process.wait()
        self._said.set()
        self._on_exit(self)
