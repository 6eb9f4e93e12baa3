"""Files to upload."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Self

Progress = Callable[[int, int], object]
"""Called with the bytes done and the bytes in total."""
FilePath = str | os.PathLike[str]
LONGEST_NAME = 255


class Source:
    """A file to upload, which reports how much of it was read."""

    def __init__(self, stream: IO[bytes], name: str, *, owned: bool) -> None:
        self._stream = stream
        self._owned = owned
        self.name = name[:LONGEST_NAME]
        self.size = stream.seek(0, os.SEEK_END)
        self.progress: Progress | None = None

    @classmethod
    def open(cls, file: FilePath | BinaryIO, filename: str | None = None) -> Self:
        """Open a file. A stream that can't seek, such as a pipe, is copied to a temporary file."""
        if isinstance(file, str | os.PathLike):
            return cls(open(file, "rb"), filename or os.path.basename(file), owned=True)
        name = filename or _name_of(file)
        if file.seekable():
            return cls(file, name, owned=False)
        copy = TemporaryFile()  # noqa: SIM115
        shutil.copyfileobj(file, copy, 1 << 20)
        return cls(copy, name, owned=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._owned:
            self._stream.close()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if self.progress:
            self.progress(self._stream.tell(), self.size)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _name_of(file: BinaryIO) -> str:
    """Return the name of an open file. Pipes and files in memory have none."""
    name = getattr(file, "name", None)
    return os.path.basename(name) if isinstance(name, str) and not name.startswith("<") else "operations.csv"
