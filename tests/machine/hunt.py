"""The machine for as long as one likes: `python -m tests.machine --minutes 60 --seed 7`."""

import argparse
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.batch.ground import Ground
from tests.batch.processes import preload
from tests.machine.machine import Machine
from tests.machine.service import Service

LONG = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
# The same at every time, and red at once: to find the least that fails takes minutes.
SHORT = settings(LONG, max_examples=8, stateful_step_count=30, derandomize=True, phases=(Phase.generate,))


@contextmanager
def machines() -> Iterator[type[Machine]]:
    """The machine's class, on a service of its own."""
    with Ground.prepared() as ground:
        service = Service(ground)
        try:
            yield type("TheMachine", (Machine,), {"service": service})
        finally:
            service.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    began = time.monotonic()
    preload("tests.machine.preloaded")
    with machines() as machine:
        number = arguments.seed
        while time.monotonic() - began < arguments.minutes * 60:
            print(f"SEED={number}", flush=True)
            run_state_machine_as_test(seed(number)(machine), settings=LONG)
            number += 1
    print(
        f"{(number - arguments.seed) * LONG.max_examples} runs, {Machine.turns} steps,"
        f" {(time.monotonic() - began) / 60:.0f} minutes: all as the model foretold"
    )
