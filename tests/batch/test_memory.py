"""Memory: a large file takes what a small one does. Millions of rows: `make memory`."""

from tests.batch import memory
from tests.batch.ground import Ground


def test_the_peak_of_a_file_three_times_as_large_is_within_ten_percent(ground: Ground) -> None:
    small, large = (memory.peak(ground, rows) for rows in (100_000, 300_000))
    assert large < 1.1 * small
