"""What binds a child to its parent: it ends when the parent does, kill -9 included, and tells it
when it is ready."""

import os
import signal
import sys
import threading
import time
from io import TextIOWrapper

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


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    while True:  # until it ends: a signal that comes when the main thread is about to wait wakes nobody
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
