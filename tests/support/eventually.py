"""Wait for a condition, with a timeout. Tests use this instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], within: float = 60) -> T:
    """Return the first true value of `condition`. Raises: AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {condition}"
        time.sleep(0.02)
    return value
