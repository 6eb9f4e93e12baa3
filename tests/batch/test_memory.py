"""Memory: a large file takes what a small one does. The real sizes: `make memory`."""

from tests.batch import memory
from tests.support.batch.harness import Harness

SMALL = {
    "worker.chunks.CHUNK_ROWS": 500,
    "worker.batch.BLOCK": 1 << 16,
    "worker.s3_writer.PART_SIZE": 1 << 18,
}
"""A fifteenth of what is held at a time, so that a fifteenth of the rows shows it."""


def test_the_peak_of_a_file_five_times_as_large_is_within_ten_percent(harness: Harness) -> None:
    small, large = (memory.peak(harness, rows, SMALL) for rows in (10_000, 50_000))
    assert large < memory.ALLOWED * small
