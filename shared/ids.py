"""UUIDs of version 7 (RFC 9562, section 5.7). They are ordered by time, so inserts append to the index."""

import os
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from uuid import UUID


def uuid7() -> UUID:
    """Return a new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return UUID(int=value)


def uuid7s(count: int) -> Iterator[str]:
    """Yield up to 16,384 UUIDv7s of the same millisecond as text, in ascending order.

    They share their last 60 random bits; the 14 bits before them are a counter (RFC 9562, section 6.2,
    method 1).
    """
    first = str(uuid7())
    head, tail = first[:15], first[20:]
    for counter in islice(_counters(), count):
        yield f"{head}{counter}{tail}"


@cache  # computed on first use: only the batch needs them
def _counters() -> list[str]:
    """Return every counter as UUID text: 12 bits, a dash, and 2 bits after the variant's `10`."""
    return [f"{number >> 2:03x}-{'89ab'[number & 3]}" for number in range(2**14)]
