"""Locks on open files, which the operating system releases when their process ends in any way."""

from __future__ import annotations

import errno
import sys

from restcalc.cli.failures import Failure

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}


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
