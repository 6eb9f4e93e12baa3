"""What synchronous code waits with."""

from collections.abc import Callable
from threading import Lock
from time import sleep
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["Lock", "in_thread", "sleep"]


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function. The asynchronous client calls it in another thread."""
    return function(*args, **kwargs)
