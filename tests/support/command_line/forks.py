"""Processes that run `restcalc` and can be killed at any line of it.

They fork from a process that has imported everything, so each starts in milliseconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from deploy.environment import ROOT
from tests.support.command_line.runner import Result

Line = tuple[str, int]
"""A file's path and the number of a line."""


class Forks:
    """Runs commands in processes of their own, one at a time.

    Args:
        folder: where the output of each process is written.
        sources: the files whose lines are recorded, and at which a process can be killed.
    """

    def __init__(self, folder: Path, sources: Sequence[Path]) -> None:
        self._folder = folder
        command = [sys.executable, "-m", __name__, *map(str, sources)]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._parent.__exit__(*exception)  # closes the pipes, at which the process ends, and waits for it

    def run(
        self, arguments: Sequence[object], environment: Mapping[str, str], kill_at: Line | None = None
    ) -> Result:
        """Run a command, and kill its process when it reaches a line. Its code is negative then."""
        order = {
            "arguments": [str(argument) for argument in arguments],
            "environment": dict(environment),
            "folder": str(self._folder),
            "kill_at": kill_at,
        }
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        code = int(self._parent.stdout.readline())
        out, err = ((self._folder / name).read_text() for name in ("out", "err"))
        return Result(code, out, err)

    def lines(self) -> list[Line]:
        """Return the lines that the last command has run, each once, in their order."""
        return [tuple(line) for line in json.loads((self._folder / "lines").read_text())]


def _serve(sources: set[str]) -> None:
    import anyio._backends._asyncio  # noqa: F401 (httpx imports it with the first request)
    import httpx  # noqa: F401

    import restcalc.cli.app
    import restcalc.cli.batch.files_run
    import restcalc.cli.running  # noqa: F401

    for order in sys.stdin:
        pid = os.fork()
        if not pid:
            _run(sources, **json.loads(order))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(
    sources: set[str], arguments: list[str], environment: dict[str, str], folder: str, kill_at: Any
) -> None:
    """Become the process of one command."""
    from restcalc.cli.running import run

    os.environ.update(environment)
    os.chdir(environment["PWD"])
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = map(open, (0, 1, 2), "rww")
    passed: dict[Line, None] = {}

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in sources:
            return None
        if event == "line":
            line = (frame.f_code.co_filename, frame.f_lineno)
            if kill_at and line == tuple(kill_at):
                os.kill(os.getpid(), 9)
            passed[line] = None
        return trace

    sys.settrace(trace)
    code = run(arguments)
    sys.settrace(None)
    Path(folder, "lines").write_text(json.dumps(list(passed)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(set(sys.argv[1:]))
