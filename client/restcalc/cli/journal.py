"""Log unfinished commands so that a restart continues them.

A call that charges writes its idempotency key here before it sends it, and deletes the entry once the answer
is printed. Started again in between, the same command finds the entry and sends the same key, which the
service charges once. The entry is locked while its process runs: a second command that runs at the same time
gets an entry of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from restcalc.cli.home import PRIVATE_FILE, create_private, make_private
from restcalc.cli.locks import try_lock

KEY_LIFETIME_SECONDS = 71 * 3600
"""An hour less than the service keeps idempotency keys."""
CERTAIN_REFUSALS = {400, 402, 404, 413, 415, 422}
"""Statuses that prove that no earlier call with the same key was carried out: it would be replayed."""


class Entry:
    """The facts about one unfinished command, in a locked file. Each change appends one line.

    Args:
        descriptor: the open and locked file. All access goes through it: another process may delete the file.
    """

    def __init__(self, descriptor: int, file: Path) -> None:
        self._descriptor, self._file = descriptor, file
        self.lock: int | None = None
        """The descriptor of a lock that is held until the entry is closed."""
        self.facts: dict[str, Any] = {}
        """What the command has stored. Empty in a new file and in a finished entry."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        with open(descriptor, "rb", closefd=False) as content:
            for line in content:
                # Skip an empty line, and a line whose process was killed while it wrote it.
                with suppress(ValueError):
                    self.facts |= json.loads(line)
        self.is_continued = bool(self.facts)
        """Whether an earlier command that did not finish has stored the facts."""

    @property
    def key(self) -> str:
        """The idempotency key."""
        return str(self.facts["key"])

    def save(self, **facts: Any) -> None:
        """Store facts before they are used."""
        os.write(self._descriptor, b"\n" + json.dumps(facts).encode())
        os.fsync(self._descriptor)
        self.facts |= facts

    def renew(self, **facts: Any) -> None:
        """Forget all facts, choose a new key, and store it with these facts."""
        os.ftruncate(self._descriptor, 0)
        self.facts, self.is_continued = {}, False
        self.save(key=str(uuid4()), created=time.time(), **facts)

    def keep(self) -> None:
        """End the command and keep the entry for the next one."""
        os.close(self._descriptor)
        self._unlock()

    def finish(self) -> None:
        """Delete the entry."""
        os.ftruncate(self._descriptor, 0)  # for a process that opened the file before its deletion
        os.close(self._descriptor)
        self._file.unlink(missing_ok=True)
        self._unlock()

    def _unlock(self) -> None:
        if self.lock is not None:
            os.close(self.lock)


class Journal:
    """The entries in a folder."""

    def __init__(self, folder: Path, lifetime: float = KEY_LIFETIME_SECONDS) -> None:
        self._folder, self._lifetime = folder, lifetime

    def begin(self, *identity: object) -> Entry:
        """Return the entry of an unfinished command that no process runs any more, or a new one.

        Args:
            identity: what makes two commands the same.
        """
        make_private(self._folder)
        self._expire()
        for file in self._files(identity):
            if entry := self._take(file):
                if entry.facts:
                    return entry
                entry.keep()  # finished, or not yet begun by the process that has just created it
        return self._create(identity)

    def begin_alone(self, *identity: object) -> Entry | None:
        """Return the entry as `begin` does, or None if another process runs the same command.

        The command's lock file is never deleted after it: two processes could then lock two files.
        """
        make_private(self._folder)
        file = self._folder / f"lock.{_name(identity)}"
        lock = os.open(file, os.O_CREAT | os.O_RDWR, PRIVATE_FILE)
        os.utime(file)  # so that it does not expire
        if not try_lock(lock):
            os.close(lock)
            return None
        entry = self.begin(*identity)
        entry.lock = lock
        return entry

    @contextmanager
    def once(self, *identity: object) -> Iterator[Entry]:
        """Yield the entry of a call that the block sends with its key, and whose answer the block prints.

        Delete the entry after the block, or if the service refused the call.
        """
        from restcalc import ApiError

        entry = self.begin(*identity)
        try:
            yield entry
        except ApiError as error:
            entry.finish() if error.status in CERTAIN_REFUSALS else entry.keep()
            raise
        except BaseException:
            entry.keep()
            raise
        entry.finish()

    def _files(self, identity: tuple[object, ...]) -> list[Path]:
        return sorted(self._folder.glob(f"{_name(identity)}.*"))

    def _take(self, file: Path) -> Entry | None:
        """Return the locked entry, or None if another process uses it."""
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return None
        if try_lock(descriptor):
            return Entry(descriptor, file)
        os.close(descriptor)
        return None

    def _create(self, identity: tuple[object, ...]) -> Entry:
        file = self._folder / f"{_name(identity)}.{uuid4().hex}"
        descriptor = create_private(file)
        while not try_lock(descriptor):  # a process that has found the new file holds the lock for a moment
            time.sleep(0.001)
        entry = Entry(descriptor, file)
        entry.save(key=str(uuid4()), created=time.time())
        return entry

    def _expire(self) -> None:
        """Delete the entries whose keys the service has forgotten."""
        for file in self._folder.iterdir():
            try:
                if time.time() - file.stat().st_mtime > self._lifetime:
                    file.unlink()
            except FileNotFoundError:  # another process was faster
                continue


def _name(identity: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()[:32]
