"""What asynchronous code waits with. anyio supports asyncio and trio.

anyio is imported at the first use: it loads asyncio, which the synchronous client does not need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import anyio

T = TypeVar("T")


def new_lock() -> anyio.Lock:
    import anyio

    return anyio.Lock()


async def sleep(seconds: float) -> None:
    import anyio

    await anyio.sleep(seconds)


async def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call a function that blocks in another thread."""
    from anyio import to_thread

    return await to_thread.run_sync(function, *arguments)
