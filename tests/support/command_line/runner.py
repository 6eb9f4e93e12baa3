"""Runs `restcalc` in the test's process, which saves a start of Python, with or without a terminal."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from restcalc.cli.running import run
from tests.support.http_client import PASSWORD

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WITHOUT_KEYRING = "keyring.backends.fail.Keyring"


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The rows of tab-separated columns, with the header."""
        return [line.split("\t") for line in self.out.splitlines()]


class Stream(io.TextIOWrapper):
    """A standard stream in memory."""

    def __init__(self, content: bytes = b"", *, terminal: bool) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


@dataclass
class CommandLine:
    """The command line of one user.

    Args:
        url: the URL of the service.
        home: the folder of the user's profiles.
    """

    url: str
    home: Path
    email: str
    environment: dict[str, str] = field(default_factory=dict)

    def variables(self, **environment: str) -> dict[str, str]:
        """Return the environment of this user, without the variables that are empty."""
        own = {
            "RESTCALC_HOME": str(self.home),
            "RESTCALC_URL": self.url,
            "RESTCALC_EMAIL": self.email,
            "RESTCALC_PASSWORD": PASSWORD,
            "PYTHON_KEYRING_BACKEND": WITHOUT_KEYRING,
            "COLUMNS": "100",
        }
        values = {**own, **self.environment, **environment}
        return {name: value for name, value in values.items() if value}

    def __call__(
        self, *arguments: object, terminal: bool = False, input: str | bytes = "", **environment: str
    ) -> Result:
        """Run a command.

        Args:
            terminal: whether standard input, output and error are a terminal.
            input: standard input.
        """
        content = input.encode() if isinstance(input, str) else input
        streams = [Stream(content, terminal=terminal), *(Stream(terminal=terminal) for _ in range(2))]
        with _replaced(streams, self.variables(**environment)):
            code = run([str(argument) for argument in arguments])
        return Result(code, streams[1].text, streams[2].text)

    def login(self, *options: str) -> "CommandLine":
        result = self("login", *options)
        assert result.code == 0, result.err
        return self


def plain(text: str) -> str:
    """Return text without the escape sequences of a terminal, and without spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in ESCAPES.sub("", text).splitlines())


@contextmanager
def _replaced(streams: list[Stream], variables: dict[str, str]) -> Iterator[None]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESTCALC_")}
    terminal: dict[str, Any] = {"TERM": "xterm-256color"} if streams[1].isatty() else {}

    def hidden_answer(prompt: str) -> str:  # getpass would read from the terminal of the test's process
        streams[2].write(prompt)
        return streams[0].readline().rstrip("\n")

    with (
        patch.dict(os.environ, {**inherited, **terminal, **variables}, clear=True),
        patch("sys.stdin", streams[0]),
        patch("sys.stdout", streams[1]),
        patch("sys.stderr", streams[2]),
        patch("getpass.getpass", hidden_answer),
    ):
        yield
