"""The worker's peak memory does not depend on the file size. `make memory` measures larger files."""

from tests.batch import memory
from tests.support.batch.harness import Harness

SMALL_BUFFERS = {
    "worker.chunks.CHUNK_ROWS": 500,
    "worker.batch.BLOCK": 1 << 16,
    "worker.s3_writer.PART_SIZE": 1 << 18,
}
"""Buffers of a fifteenth of their size, so that a fifteenth of the rows shows a growth of memory."""


def test_peak_memory_of_a_file_five_times_as_large_is_within_ten_percent(harness: Harness) -> None:
    small, large = (memory.peak(harness, rows, SMALL_BUFFERS) for rows in (10_000, 50_000))
    assert large < memory.MAX_GROWTH * small
