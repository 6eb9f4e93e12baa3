"""Killed workers. `make chaos` runs this longer."""

import random

from tests.batch import chaos
from tests.support.batch.harness import Harness


def test_file_whose_worker_is_killed_ten_times_has_the_same_results(harness: Harness) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    killer = chaos.run(harness, kills=10, seed=seed, rows=400)
    assert killer.kills.total() == 10
