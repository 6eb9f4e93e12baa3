"""UUIDs of version 7 (RFC 9562, section 5.7): ordered by time, so that index pages fill in order."""

import os
import time
from collections.abc import Iterator
from uuid import UUID


def uuid7() -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random ones."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return UUID(int=value)


def uuid7s(count: int) -> Iterator[str]:
    """`count` UUIDv7s of one moment as text, in order: a counter leads their random bits (method 1
    of RFC 9562, section 6.2). At most 4,096.
    """
    milliseconds = f"{time.time_ns() // 1_000_000:012x}"
    head, noise = f"{milliseconds[:8]}-{milliseconds[8:]}-7", os.urandom(8 * count).hex()
    for i in range(count):
        tail = noise[16 * i : 16 * i + 16]
        yield f"{head}{i:03x}-{_VARIANT[tail[0]]}{tail[1:4]}-{tail[4:]}"


# The variant's two bits, 10, and two random ones, by a random digit.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
