"""What synchronous code waits with."""

from collections.abc import Callable
from threading import Lock as new_lock
from time import sleep
from typing import TypeVar

T = TypeVar("T")

__all__ = ["in_thread", "new_lock", "sleep"]


def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call the function. The asynchronous client calls it in another thread."""
    return function(*arguments)
