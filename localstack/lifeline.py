"""What binds a child to its parent: it ends when the parent does, kill -9 included, and tells it
when it is ready."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from io import TextIOWrapper
from types import FrameType

READY = "ready"


def tell_ready() -> None:
    """The parent waits for this line (`Child.wait_until_ready`)."""
    print(READY)


def hold() -> None:
    """Ends this process with SIGTERM when its standard input, the parent's pipe, is closed.

    Its output goes out line by line, in one write each, so that processes may share a pipe.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()


def wait_for_end() -> None:
    """Returns when this process is told to end by SIGTERM."""
    with suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, end_once)
        # No lock is waited for, which a handler might need; and a signal that came as this thread went to
        # sleep, or to another thread, is heard when it wakes.
        while True:
            time.sleep(1)


def end_once(signum: int, frame: FrameType | None) -> None:
    """A signal's handler: KeyboardInterrupt in the main thread, and no second one while that cleans up."""
    for known in (signal.SIGINT, signal.SIGTERM):
        signal.signal(known, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
