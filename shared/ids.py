"""UUIDs of version 7 (RFC 9562, section 5.7). They are ordered by time, so inserts append to the index."""

import os
import struct
import time
from functools import cache
from uuid import UUID


def uuid7() -> UUID:
    """Return a new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return UUID(int=value)


def uuid7_pieces(count: int) -> tuple[str, list[str], str]:
    """Return the pieces of up to 16,384 UUIDv7s of the same millisecond in ascending order.

    They share their last 56 random bits; the 18 bits before them are a counter (RFC 9562, section 6.2,
    method 1).

    Returns:
        The bytes with which all ids begin, the middle bytes of each id, and the bytes with which all end.
        Each character stands for one byte (Latin-1).
    """
    shared = uuid7().bytes.decode("latin-1")
    return shared[:6], _counters()[:count], shared[9:]


@cache  # computed on first use: only the batch needs them
def _counters() -> list[str]:
    """Return bytes 6 to 8 of the UUIDs: the version, 12 bits, the variant, 2 bits, and 4 zero bits."""
    upper = struct.pack("!4096H", *range(0x7000, 0x8000)).decode("latin-1")
    return [upper[at : at + 2] + lower for at in range(0, len(upper), 2) for lower in "\x80\x90\xa0\xb0"]
