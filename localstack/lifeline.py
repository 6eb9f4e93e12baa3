"""Stop a child process when its parent ends, even by SIGKILL, and signal the parent when it is ready."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from io import TextIOWrapper
from types import FrameType

READY = "ready"


def signal_ready() -> None:
    """Print the line that `Child.wait_until_ready` waits for."""
    print(READY)


def hold() -> None:
    """Send SIGTERM to this process when its standard input, the parent's pipe, is closed.

    Also write the output line by line, each in one write, so that processes can share a pipe.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()


def wait_for_end() -> None:
    """Return when this process receives SIGTERM."""
    with suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, end_once)
        # Not Event.wait: it holds a lock that a handler might need. The sleep is short because a signal that
        # arrives in another thread, or just before the sleep, is handled only after it.
        while True:
            time.sleep(1)


def end_once(signum: int, frame: FrameType | None) -> None:
    """Handle a signal: raise KeyboardInterrupt once, and ignore further signals during the cleanup."""
    for known in (signal.SIGINT, signal.SIGTERM):
        signal.signal(known, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
