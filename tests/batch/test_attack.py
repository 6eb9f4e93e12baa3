"""One user sends as many messages as the API allows, while another user uploads small files."""

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from restcalc import RestcalcError
from shared.tasks import RESUMES_AT_ONCE, RESUMES_PER_SECOND
from tests.support.batch.harness import mixed_file
from tests.support.batch.service import Account, RunningService
from tests.support.eventually import eventually

SECONDS = float(os.environ.get("ATTACK_SECONDS", "10"))
FILES_BEFORE = 7
LARGE = b"operation,arguments\n" + b'addition,"[1, 2]"\ncube,[3]\n' * 75_000
"""A file that keeps a worker busy for seconds. Half of its rows are bad."""
LOOPS = 2
WAITING = 4
"""The number of the attacker's tasks that wait for the large one."""
WORKERS = 2
MESSAGES_LIMIT = 2 * (1 + WAITING) + WORKERS + 1
"""The limit of messages in the queue: for each of the attacker's tasks one from S3 and one from the service,
those that workers are processing, and the victim's."""


def process_small_file(account: Account) -> float:
    task_id = account.begin(mixed_file(1, 1))
    task = eventually(lambda: account.ended(task_id))
    assert task.status == "completed"
    assert task.finished_at
    return (task.finished_at - task.created_at).total_seconds()


def process_small_files(
    running: RunningService, account: Account, until: Callable[[int], bool]
) -> list[float]:
    durations = list[float]()
    while not until(len(durations)):
        running.reset_upload_limit(account)
        durations.append(process_small_file(account))
    return durations


class Attack:
    """Cancel and resume a large task and some that wait for it, in loops, until stopped."""

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
            for name, act in {
                "cancel": self._account.cancel_task,
                "resume": self._account.resume_task,
            }.items():
                with suppress(RestcalcError):
                    act(task_id)
                    self.accepted[name] += 1


def test_user_who_resumes_and_cancels_in_a_loop_does_not_delay_others(running: RunningService) -> None:
    """Limit the number of messages. The test only prints the times; ATTACK_SECONDS=60 runs it longer."""
    victim, attacker = running.client(), running.client()
    before = process_small_files(running, victim, lambda done: done >= FILES_BEFORE)
    max_messages, began = 0, time.monotonic()

    def is_over(done: int) -> bool:
        nonlocal max_messages
        max_messages = max(max_messages, running.count(running.queue))
        return done >= 3 and time.monotonic() - began > SECONDS

    with Attack(attacker) as attack:
        during = process_small_files(running, victim, is_over)
        seconds = time.monotonic() - began
    medians = [statistics.median(durations) for durations in (before, during)]
    print(f"\n{seconds:.0f} s of attack, accepted: {dict(attack.accepted)}, at most {max_messages} messages;")
    print(
        f"a small file: {medians[0]:.3f} s before, {medians[1]:.3f} s during it, {max(during):.3f} s at worst"
    )
    assert attack.accepted["cancel"] > 0
    assert attack.accepted["resume"] <= RESUMES_AT_ONCE + seconds * RESUMES_PER_SECOND + 1
    assert max_messages <= MESSAGES_LIMIT
    eventually(lambda: running.count(running.queue) <= 1)
