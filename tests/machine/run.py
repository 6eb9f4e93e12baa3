"""Run the state machine for a given time: `python -m tests.machine --minutes 60 --seed 7`."""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.machine import RULES, Machine
from tests.machine.service import Service
from tests.support.batch.harness import Harness
from tests.support.batch.processes import preload
from tests.support.batch.stage import AFTER, BEFORE

LONG = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
# Deterministic, and without the shrink phase, which takes minutes.
SHORT = settings(LONG, max_examples=4, stateful_step_count=20, derandomize=True, phases=(Phase.generate,))
REQUIRED = (
    *(f"rule {name}" for name in RULES),
    *(f"function died {moment}" for moment in (BEFORE, AFTER)),
    "worker died",
    "worker interrupted",
    "concurrent actions linearized",
    "Charge 200",
    "Charge 200 replayed",
    "Charge 402 insufficient-credit",
    "Charge 402 spend-limit-reached",
    "Charge 409 conflict",
    "Charge 422 idempotency-key-reused",
    "Cancel 200",
    "Resume 202",
    "ChangePassword 204",
    "ChangePassword 401 wrong-credentials",
    "ChangePassword 401 not-signed-in",
    "EndSession 200",
    "EndSession 404 not-found",
    "CreateExport 202",
    "CreateExport 202 replayed",
    "SetStatus 204",
    "SetStatus 409 conflict",
    "SignIn 401 wrong-credentials",
    "SignIn 403 account-inactive",
    "RefundRecord 200",
    "RefundRecord 409 conflict",
    "RefundTask 200",
    "RefundTask 409 conflict",
    "Start 202",
    "task completed",
    "task out_of_credit",
    "task cancelled",
    "export completed",
    "export failed",
    "usage in several periods",
    "access to another user's object rejected",
)
"""Outcomes that must occur in a run; otherwise the run does not test them. Without the part after a colon."""


@contextmanager
def machines() -> Iterator[type[Machine]]:
    """Yield the machine's class, connected to its own service."""
    with Harness.prepared() as harness:
        service = Service(harness)
        try:
            yield type("TheMachine", (Machine,), {"service": service})
        finally:
            service.close()


def missing(outcomes: Counter[str]) -> list[str]:
    """Return the required outcomes that did not occur."""
    happened = {outcome.partition(":")[0] for outcome in outcomes}
    return [it for it in REQUIRED if it not in happened]


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
    for outcome, times in sorted(machine.service.outcomes.items()):
        print(f"{times:8} {outcome}")
    print(
        f"{Machine.runs} runs, {Machine.turns} steps,"
        f" {(time.monotonic() - began) / 60:.0f} minutes: all as the model predicted"
    )
    if never := missing(machine.service.outcomes):
        sys.exit(f"never happened: {never}")
