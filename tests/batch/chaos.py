"""Kill workers at every step of a file: `python -m tests.batch.chaos --kills 200 --seed 7`.

Each delivery to a worker ends with kill -9, at a step of its traffic or at a random time. The steps are
chosen so that all are hit equally often. In the end, task and results must be identical to those of the same
file of another user, processed without a kill. Each user's webhook must have one event of the end of the
file, and one of the chunk that took the balance below the threshold.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence

from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.processes import WorkerProcess
from tests.support.batch.stage import AFTER, BEFORE, BILLING, DURING, WRITING, Fault
from tests.support.users import Person
from tests.support.webhooks import emitted, subscribe

STEPS_ONCE = ("peek_task", "HEAD file", "GET file", "lock_task", "start_task")
"""Steps that a worker does once per delivery."""
DATA_STEPS = ("GET file data", "read results data")
"""Steps that are reported while their bytes arrive."""
TIMED_SHARE = 0.2
"""The share of kills at a random time."""
BILLING_SHARE = 0.7
"""The share of kills while rows are billed. The others happen while results are written."""


class Killer:
    """Kill each worker at a chosen step, until the number of kills is reached."""

    def __init__(self, harness: Harness, kills: int, seed: int) -> None:
        self._harness, self._limit, self._random = harness, kills, random.Random(seed)
        self._timer: threading.Timer | None = None
        self.kills: Counter[tuple[str, str]] = Counter()
        """The number of killed workers by step and moment."""
        self.timed = 0
        self.task: Task | None = None

    @property
    def finished(self) -> bool:
        return self.kills.total() >= self._limit

    def prepare(self, worker: WorkerProcess) -> None:
        """Choose where this worker is killed."""
        self.disarm()
        if self.finished or self.task is None:
            return
        billing = self._billing() and self.kills.total() < self._limit * BILLING_SHARE
        if billing and self._random.random() < TIMED_SHARE:
            self._timer = threading.Timer(self._random.uniform(0, 0.3), self._kill, (worker, True))
            self._harness.stage.expect(Fault("HEAD file", BEFORE, self._start_timer))
        else:
            step, moment = self._choose((*BILLING, "GET file data") if billing else WRITING)
            nth = 1 if step in STEPS_ONCE or step in WRITING else self._random.randint(1, 3)
            self._harness.stage.expect(Fault(step, moment, lambda: self._kill(worker), nth))

    def disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer and timer.is_alive():
            timer.cancel()
            timer.join()
        self._harness.stage.expect(None)

    def _start_timer(self) -> bool:
        if self._timer:
            self._timer.start()
        return True

    def _billing(self) -> bool:
        assert self.task
        state = self._harness.state(self.task)
        return bool(state["bytes_done"] < state["bytes_total"])

    def _choose(self, steps: Sequence[str]) -> tuple[str, str]:
        """Return one of the remaining steps that were hit least often."""
        ahead = [(step, moment) for step in steps for moment in moments(step)]
        least = min(self.kills[it] for it in ahead)
        return self._random.choice([it for it in ahead if self.kills[it] == least])

    def _kill(self, worker: WorkerProcess, timed: bool = False) -> bool:
        self.kills[self._harness.stage.now] += 1
        self.timed += timed
        worker.kill()
        return False


def moments(step: str) -> tuple[str, ...]:
    """Return the moments of a step. COPY data has no response of its own."""
    if step in DATA_STEPS:
        return (DURING,)
    return (BEFORE, DURING) if step.startswith("copy") and step.endswith("data") else (BEFORE, DURING, AFTER)


def subscriber(harness: Harness) -> Person:
    """Create a client with a webhook, and a threshold that the first rows of a file cross."""
    client = harness.client()
    subscribe(client.id)
    below = "UPDATE users SET low_balance_threshold = balance - 1 WHERE id = :id"
    harness.sql(below, id=client.id)
    return client


def check_events(harness: Harness, task: Task) -> None:
    """Check that the file's end and the crossed threshold emitted one event each."""
    (low, _), (ended, data) = emitted(harness.sql, task.owner.id)
    assert (low, ended, data["id"]) == ("balance.low", "task.completed", str(task.id))


def run(harness: Harness, kills: int, seed: int, rows: int) -> Killer:
    """Process one file after the other with killed workers, until the number of kills is reached."""
    killer = Killer(harness, kills, seed)
    deliveries = Deliveries(harness)
    content = mixed_file(rows, seed)
    reference_task = harness.upload(subscriber(harness), content)
    deliveries.until_idle(limit=60 + kills)
    check_events(harness, reference_task)
    while not killer.finished:
        killer.task = harness.upload(subscriber(harness), content)
        deliveries.until_idle(prepare=killer.prepare, limit=60 + kills)
        killer.disarm()
        harness.check_completed(killer.task, reference_task)
        check_events(harness, killer.task)
    deliveries.close()
    return killer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}: {arguments.kills} kills", flush=True)
    with Harness.prepared() as harness:
        os.environ.update(harness.environment)
        began = time.monotonic()
        rows = arguments.kills * 2 * CHUNK_ROWS
        killer = run(harness, arguments.kills, arguments.seed, rows)
    for step in dict.fromkeys((*BILLING, *WRITING, *(step for step, _ in killer.kills))):
        hits = {moment: killer.kills[step, moment] for moment in (BEFORE, DURING, AFTER)}
        print(f"  {step:20}" + "".join(f"{moment:>8} {hits[moment]:3}" for moment in hits))
    steps = {(step, moment) for step in (*BILLING, *WRITING) for moment in moments(step)}
    missed = steps - set(killer.kills) if arguments.kills >= 200 else set()
    print(
        f"{killer.kills.total()} kills, {killer.timed} of them at a time, at {len(killer.kills)} different"
        f" instants, {rows} rows per file, {time.monotonic() - began:.0f} s:"
        f" every row was billed once, all balances are right, the results match those of a run without kills,"
        f" each event was emitted once"
    )
    if missed:
        sys.exit(f"never hit: {sorted(missed)}")


if __name__ == "__main__":
    main()
