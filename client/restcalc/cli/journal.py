"""What an unfinished command has done, so that the same command, started again after a kill, continues it.

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

from restcalc.cli.home import create_private, make_private
from restcalc.cli.locks import try_lock

KEY_LIFETIME_SECONDS = 71 * 3600
"""An hour less than the service keeps idempotency keys."""
CERTAIN_REFUSALS = {400, 402, 404, 413, 415, 422}
"""Statuses that prove that no earlier call with the same key was carried out: it would be replayed."""


class Entry:
    """The facts about one unfinished command, in a locked file. Each change appends one line."""

    def __init__(self, descriptor: int, file: Path) -> None:
        self._descriptor, self._file = descriptor, file
        self.facts: dict[str, Any] = {}
        for line in file.read_bytes().splitlines():
            with suppress(
                ValueError
            ):  # a line that a process was killed at while it wrote it, or an empty one
                self.facts |= json.loads(line)

    @property
    def key(self) -> str:
        """The idempotency key."""
        return str(self.facts["key"])

    def save(self, **facts: Any) -> None:
        """Store facts before they are used."""
        os.write(self._descriptor, b"\n" + json.dumps(facts).encode())
        os.fsync(self._descriptor)
        self.facts |= facts

    def renew(self) -> None:
        """Forget all facts, and choose a new key."""
        os.truncate(self._file, 0)
        self.facts = {}
        self.save(key=str(uuid4()), created=time.time())

    def keep(self) -> None:
        """End the command and keep the entry for the next one."""
        os.close(self._descriptor)

    def finish(self) -> None:
        """Delete the entry."""
        os.truncate(self._file, 0)  # a process that opened the file before its deletion finds no facts
        os.close(self._descriptor)
        self._file.unlink(missing_ok=True)


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

    def is_running(self, *identity: object) -> bool:
        """Return whether another process runs this command."""
        for file in self._files(identity):
            if entry := self._take(file):
                entry.keep()
            elif file.exists():
                return True
        return False

    @contextmanager
    def once(self, *identity: object) -> Iterator[str]:
        """Yield the idempotency key of a call that the block sends, and whose answer it prints.

        Delete the entry after the block, or if the service refused the call.
        """
        from restcalc import ApiError

        entry = self.begin(*identity)
        try:
            yield entry.key
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
