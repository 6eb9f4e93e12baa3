"""A shell in which a page's commands run one block after the other, as a reader would run them."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Timer
from types import TracebackType
from typing import Self

PROGRAMS = Path(__file__).with_name("bin")
"""Programs that replace others while a page runs."""
OF_PYTEST = ("PYTEST_", "TESTS_", "COV_")
BLOCK_SECONDS = 300
"""Timeout for the commands of one block, so that a command that hangs does not hang the tests. `make up`, the
slowest one, takes a minute on a busy machine."""


class CommandFailed(AssertionError):
    """A command of the page failed or took too long. The message contains its output."""


class Terminal:
    """A bash in the folder. It ends at the first failed command, as scripts should.

    Args:
        timeout: seconds for each block.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], timeout: float = BLOCK_SECONDS) -> None:
        self._timeout = timeout
        self._blocks = TemporaryDirectory(prefix="page-")
        self._count = 0
        # A page's pytest is no process of this one, and its checkout may have other migrations.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OF_PYTEST)}
        self._bash = subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=folder,
            env={**inherited, **environment, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._kill()
        self._bash.communicate()
        self._blocks.cleanup()

    def run(self, commands: str, interpreter: str = "", **variables: str) -> str:
        """Run the commands and return what they print. Raises: CommandFailed."""
        self._count += 1
        file = Path(self._blocks.name) / str(self._count)
        file.write_text(commands, "utf-8")
        end = f"end of block {self._count}"
        assert self._bash.stdin
        assert self._bash.stdout
        exports = "".join(f"export {name}='{value}'; " for name, value in variables.items())
        command = f"{exports}{interpreter or '.'} '{file}' </dev/null\nprintf '\\n{end}\\n'\n"
        with suppress(BrokenPipeError):  # an earlier block has ended the shell
            self._bash.stdin.write(command)
            self._bash.stdin.flush()
        lines = list[str]()
        timed_out = Event()
        watchdog = Timer(self._timeout, lambda: (timed_out.set(), self._kill()))
        watchdog.start()
        try:
            for line in self._bash.stdout:
                if line == f"{end}\n":
                    return "".join(lines).removesuffix("\n")
                lines.append(line)
            if timed_out.is_set():
                lines.append(f"The commands were killed after {self._timeout:g} s.")
            raise CommandFailed("".join(lines))
        finally:
            watchdog.cancel()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
