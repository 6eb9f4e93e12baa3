"""The folders in which `restcalc` keeps its files, and how it writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


@dataclass(frozen=True)
class Home:
    """The folders of this user. RESTCALC_HOME replaces the platform's folders."""

    config: Path
    """Profiles and API keys."""
    state: Path
    """Calls and files that are not finished."""

    @classmethod
    def from_environment(cls) -> Home:
        if home := os.environ.get("RESTCALC_HOME"):
            return cls(Path(home), Path(home))
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("restcalc", appauthor=False)
        return cls(dirs.user_config_path, dirs.user_state_path)


def make_private(folder: Path) -> Path:
    """Create a folder that only its owner can read, and return it."""
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    return folder


def create_private(file: Path) -> int:
    """Create a file that only its owner can read, and return its descriptor. Each write appends."""
    return os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, PRIVATE_FILE)


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step with one that only its owner can read. The caller holds the file's lock."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)  # of a process that was killed before the last line
    with os.fdopen(create_private(new), "w", encoding="utf-8") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())
    new.replace(file)
