"""The files that a user gives to `restcalc batch`."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure

DASH = "-"
"""The argument that stands for standard input."""
STANDARD_INPUT = "standard input"
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """A file to upload.

    Args:
        path: where its content is.
        name: what the user calls it.
        identity: what makes it the same file when the command is started again.
    """

    path: Path
    name: str
    identity: tuple[object, ...]

    @property
    def is_standard_input(self) -> bool:
        return self.name == STANDARD_INPUT

    @property
    def filename(self) -> str:
        """The name that the service shows."""
        return "stdin.csv" if self.is_standard_input else self.path.name


@contextmanager
def local_files(names: list[str]) -> Iterator[list[LocalFile]]:
    """Yield the files with these names. `-` is standard input, which is copied to a temporary file.

    Raises: Failure if a file does not exist, is empty, or is given twice.
    """
    if len(set(names)) < len(names):
        raise Failure("A file is given twice. Give each file once.", ExitCode.USAGE)
    with TemporaryDirectory(prefix="restcalc-") as folder:
        yield [_copied_input(Path(folder)) if name == DASH else _existing(name) for name in names]


def _existing(name: str) -> LocalFile:
    path = Path(name)
    if not path.is_file():
        cause = "is not a file" if path.exists() else "does not exist"
        raise Failure(f"{name} {cause}. Give the path of a CSV file.", ExitCode.USAGE)
    status = path.stat()
    _reject_empty(name, status.st_size)
    return LocalFile(path, name, (str(path.resolve()), status.st_size, status.st_mtime_ns))


def _copied_input(folder: Path) -> LocalFile:
    if sys.stdin.isatty():
        raise Failure("Standard input is a terminal. Pipe a file into the command.", ExitCode.USAGE)
    path = folder / "stdin.csv"
    with path.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy, BLOCK_BYTES)
    _reject_empty("Standard input", path.stat().st_size)
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return LocalFile(path, STANDARD_INPUT, (STANDARD_INPUT, digest))


def _reject_empty(name: str, size: int) -> None:
    if not size:
        raise Failure(f"{name} is empty. Its first line is operation,arguments.", ExitCode.USAGE)
