"""Signals that end a command: SIGTERM and SIGHUP interrupt it as Ctrl-C does, so that it cleans up.

A signal that the parent process ignores, such as SIGHUP under nohup, stays ignored.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TERMINATIONS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]
"""Windows has no SIGHUP."""


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGTERM and SIGHUP while the block runs."""
    with _handling(TERMINATIONS, signal.default_int_handler):
        yield


@contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Delay Ctrl-C, SIGTERM and SIGHUP until the block ends, and then raise KeyboardInterrupt."""
    received = list[int]()
    with _handling([signal.SIGINT, *TERMINATIONS], lambda number, _: received.append(number)):
        yield
    if received:
        raise KeyboardInterrupt


@contextmanager
def termination_ignored() -> Iterator[None]:
    """Ignore SIGTERM and SIGHUP while the block cleans up. Ctrl-C still ends it."""
    with _handling(TERMINATIONS, lambda *_: None):
        yield


@contextmanager
def _handling(signals: list[int], handler: Callable[..., Any]) -> Iterator[None]:
    previous = {number: signal.getsignal(number) for number in signals}
    handled = {number: old for number, old in previous.items() if old not in (signal.SIG_IGN, None)}
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in handled.items():
            signal.signal(number, old)
