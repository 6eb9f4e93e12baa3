"""Workers that are killed. The long form is `make chaos`."""

import random

from tests.batch import chaos
from tests.support.batch.harness import Harness


def test_a_file_whose_worker_is_killed_ten_times_comes_out_as_an_undisturbed_one(harness: Harness) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    killer = chaos.run(harness, kills=10, seed=seed, rows=400)
    assert killer.kills.total() == 10
