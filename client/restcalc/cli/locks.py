"""Locks on open files, which the operating system releases when their process ends in any way."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restcalc.cli.failures import Failure
from restcalc.cli.home import PRIVATE_FILE, make_private

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}
CHANGE_SECONDS = 10.0
"""How long a command waits while others change the same file, which takes each of them milliseconds."""


def try_lock(descriptor: int) -> bool:
    """Lock a file, and return whether no other process has locked it.

    Raises: Failure if the file system can't lock files.
    """
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
        cause = f"`restcalc` can't lock its files: {error.strerror}."
        raise Failure(f"{cause} Set RESTCALC_HOME to a folder on a local disk.") from None
    return True


@contextmanager
def locked(file: Path, timeout: float = CHANGE_SECONDS) -> Iterator[None]:
    """Hold the lock of a file that the block reads, changes and replaces. Wait for other processes first.

    The locked file is another one beside it, because the file itself is replaced, and is never deleted:
    two processes could then lock two files.

    Raises: Failure after `timeout` seconds.
    """
    make_private(file.parent)
    descriptor = os.open(file.with_name(f"{file.name}.lock"), os.O_CREAT | os.O_RDWR, PRIVATE_FILE)
    try:
        deadline = time.monotonic() + timeout
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                cause = f"Another `restcalc` has locked {file} for {timeout:.0f} s."
                raise Failure(f"{cause} End that process, and run the command again.")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
