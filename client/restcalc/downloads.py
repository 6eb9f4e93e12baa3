"""The unfinished file of a download."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from restcalc.files import FilePath


class Part:
    """A file beside the target that has the content received so far.

    Its name has the ETag of the content, so that only a download of the same content continues it, even one
    of another process.
    """

    def __init__(self, target: FilePath) -> None:
        self.target = Path(target)
        self.total = 0
        """The size of the whole file in bytes; 0 until the first response."""
        self._file: Path | None = next(self._parts(), None)

    def size(self) -> int:
        """Return the bytes received so far."""
        return self._file.stat().st_size if self._file else 0

    def headers(self) -> dict[str, str]:
        """Return the headers that request the content that is still missing."""
        headers = {"Accept-Encoding": "identity"}
        if self._file and (etag := self._etag(self._file)):
            headers |= {"Range": f"bytes={self.size()}-", "If-Range": f'"{etag}"'}
        return headers

    def begin(self, status: int, headers: Mapping[str, str]) -> IO[bytes] | None:
        """Open the part for the content of a response.

        Returns None, and deletes the part, if the content is not the rest of it.
        """
        file = self.target.with_name(f"{self.target.name}.{_plain(headers.get('ETag', ''))}.part")
        if status == 206 and file == self._file:
            self.total = int(headers["Content-Range"].rpartition("/")[2])
            return file.open("ab")
        self._delete()
        if status != 200:
            return None
        self._file, self.total = file, int(headers.get("Content-Length", 0))
        return file.open("wb")

    def is_complete(self) -> bool:
        """Return whether the part has as many bytes as the whole file, if S3 sent its size."""
        return self._file is not None and self.total in (0, self.size())

    def finish(self) -> Path:
        """Give the complete file its name."""
        assert self._file  # noqa: S101 (is_complete)
        return self._file.replace(self.target)

    def _delete(self) -> None:
        for file in self._parts():
            file.unlink(missing_ok=True)
        self._file = None

    def _parts(self) -> Iterator[Path]:
        return self.target.parent.glob(f"{glob.escape(self.target.name)}.*.part")

    def _etag(self, file: Path) -> str:
        return file.name.removeprefix(f"{self.target.name}.").removesuffix(".part")


def _plain(etag: str) -> str:
    """Return an ETag without the characters that a file name can't have."""
    return re.sub(r"[^0-9A-Za-z-]", "", etag)
