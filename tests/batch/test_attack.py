"""One user who sends as many messages as the API allows, and another user's small files meanwhile."""

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from threading import Event, Thread

from client.batch import ClientError
from shared.tasks import RESUMES_AT_ONCE, RESUMES_PER_SECOND
from tests.support.batch.harness import mixed_file
from tests.support.batch.service import Account, Running
from tests.support.eventually import eventually

SECONDS = float(os.environ.get("ATTACK_SECONDS", "10"))
FILES_BEFORE = 7
LARGE = b"operation,arguments\n" + b'addition,"[1, 2]"\ncube,[3]\n' * 75_000
"""A file that keeps a worker busy for seconds, half of it bad rows."""
LOOPS = 2
WAITING = 4
"""The attacker's tasks that wait for the large one."""
LIMIT = 15
"""Messages in the queue at any time: the victim's, those of the attacker's tasks, and of its resumptions."""


def seconds_of_a_small_file(account: Account) -> float:
    task_id = account.begin(mixed_file(1, 1))
    task = eventually(lambda: account.ended(task_id), 60)
    assert task["status"] == "completed"
    created, finished = (datetime.fromisoformat(task[name]) for name in ("created_at", "finished_at"))
    return (finished - created).total_seconds()


def small_files(running: Running, account: Account, enough: Callable[[int], bool]) -> list[float]:
    taken = list[float]()
    while not enough(len(taken)):
        running.forget_uploads_of(account)
        taken.append(seconds_of_a_small_file(account))
    return taken


class Attack:
    """Cancels and resumes tasks in loops, a large one and some that wait for it, until stopped."""

    def __init__(self, account: Account) -> None:
        self._account, self._stop = account, Event()
        self.accepted = Counter[str]()
        self._tasks = [account.begin(LARGE), *(account.begin(mixed_file(1, 1)) for _ in range(WAITING))]
        self._threads = [Thread(target=self._repeat) for _ in range(LOOPS)]

    def __enter__(self) -> "Attack":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self) -> None:
        while not self._stop.is_set():
            self._cancel_and_resume()

    def _cancel_and_resume(self) -> None:
        for task_id in self._tasks:
            for act in ("cancel", "resume"):
                with suppress(ClientError):
                    self._account.call("POST", f"/api/v1/tasks/{task_id}/{act}")
                    self.accepted[act] += 1


def test_a_user_who_resumes_and_cancels_in_a_loop_slows_nobody_down(running: Running) -> None:
    """The number of messages decides; the times are printed (ATTACK_SECONDS=60 for the long run)."""
    victim, attacker = running.client(), running.client()
    before = small_files(running, victim, lambda done: done >= FILES_BEFORE)
    most, began = 0, time.monotonic()

    def over(done: int) -> bool:
        nonlocal most
        most = max(most, running.count(running.queue))
        return done >= 3 and time.monotonic() - began > SECONDS

    with Attack(attacker) as attack:
        during = small_files(running, victim, over)
        took = time.monotonic() - began
    medians = [statistics.median(taken) for taken in (before, during)]
    print(f"\n{took:.0f} s of attack, accepted: {dict(attack.accepted)}, {most} messages at the most;")
    print(
        f"a small file: {medians[0]:.3f} s before, {medians[1]:.3f} s meanwhile, {max(during):.3f} s at worst"
    )
    assert attack.accepted["cancel"] > 0
    assert attack.accepted["resume"] <= RESUMES_AT_ONCE + took * RESUMES_PER_SECOND + 1
    assert most <= LIMIT
    eventually(lambda: running.count(running.queue) <= 1, 60)
