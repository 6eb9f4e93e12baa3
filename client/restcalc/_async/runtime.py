"""What asynchronous code waits with. anyio supports asyncio and trio."""

from anyio import Lock, sleep
from anyio.to_thread import run_sync as in_thread

__all__ = ["Lock", "in_thread", "sleep"]
