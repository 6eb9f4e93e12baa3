"""UUIDs of version 7 (RFC 9562, section 5.7): ordered by time, so that index pages fill in order."""

import os
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from uuid import UUID


def uuid7() -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random ones."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return UUID(int=value)


def uuid7s(count: int) -> Iterator[str]:
    """At most 16,384 UUIDv7s of one moment as text, in order: they share their last 60 random bits,
    and a counter stands in the 14 before them (RFC 9562, section 6.2, method 1).
    """
    first = str(uuid7())
    head, tail = first[:15], first[20:]
    for counter in islice(_counters(), count):
        yield f"{head}{counter}{tail}"


@cache  # which the batch alone needs: no other function makes them at its start
def _counters() -> list[str]:
    """12 bits, the dash, and 2 bits after the variant's `10`."""
    return [f"{number >> 2:03x}-{'89ab'[number & 3]}" for number in range(2**14)]
