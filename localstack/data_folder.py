"""The folder in which the offline cloud keeps its data between runs, and its lock."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from localstack.stack_settings import CannotStart


class DataFolder:
    """The `.data` folder: databases, objects, logs and the signing key. One process at a time may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.postgres = self.folder / "postgres"
        self.emulator = self.folder / "ministack"
        self.localstack = self.folder / "localstack"
        self.log = self.folder / "logs" / "restcalculator.log"
        self._pid_file = self.folder / "make-up.pid"
        self._environment_file = self.folder / "environment.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for this process. Raises: CannotStart if it is unusable or locked."""
        with self._opened() as file:
            if not _lock(file):
                raise CannotStart(
                    f"The service is already running (process {self._read_pid()}, data in {self.folder}). "
                    "Stop it with `make down`, or choose another folder with DATA_DIR."
                )
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                self._environment_file.unlink(missing_ok=True)
                file.truncate(0)

    def _opened(self) -> IO[str]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self._pid_file.open("a+")
        except OSError as error:
            raise CannotStart(
                f"The data folder {self.folder} can't be used: {error.strerror}. Choose another one with "
                "DATA_DIR, for example: DATA_DIR=~/restcalculator-data make up"
            ) from None

    def owner(self) -> int | None:
        """Return the id of the process that locks the folder, or None."""
        if not self._pid_file.exists():
            return None
        with self._pid_file.open("r") as file:
            return None if _lock(file) else self._read_pid()

    def jwt_secret_key(self) -> str:
        """Return the folder's random key of 48 bytes. Create it once, readable only by the file's owner."""
        path = self.folder / "jwt_secret_key"
        with suppress(FileExistsError):
            _write_private(path, secrets.token_urlsafe(48), os.O_EXCL)
        return path.read_text("ascii")

    def publish(self, environment: Mapping[str, str]) -> None:
        """Write the running functions' variables to a file for `make audit` and other commands."""
        _write_private(self._environment_file, json.dumps(environment, indent=1), os.O_TRUNC)

    def published(self) -> dict[str, str] | None:
        """Return the variables of the running functions, or None if the service is not running."""
        if self.owner() is None or not self._environment_file.exists():
            return None
        environment: dict[str, str] = json.loads(self._environment_file.read_text("utf-8"))
        return environment

    def _read_pid(self) -> int | None:
        text = self._pid_file.read_text("ascii")
        return int(text) if text.isdigit() else None


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_private(path: Path, text: str, flag: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
