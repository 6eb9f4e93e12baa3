"""Mixed traffic by many users while something breaks every few seconds:
`python -m tests.soak.soak --minutes 10 --seed 7`.

In the end the books balance, what was promised was kept, every answer is explained, and nothing has
grown that should not. The seed decides what is tried and what breaks; not when which thread runs.
"""

import argparse
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from localstack.cloud import EDGE_HOST
from localstack.stack import Stack
from localstack.stack_settings import Settings
from tests.soak.answers import BROKEN, Answers
from tests.soak.faults import Faults
from tests.soak.leaks import Watch
from tests.soak.promises import Promises
from tests.soak.user import User
from tests.support.faults.emulator import emulator
from tests.support.faults.tcp_line import TcpLine
from tests.support.http_client import API, Client

GATEWAY_WORKERS, BATCH_WORKERS = 3, 2
MEMORY_GROWTH, HANDLES_GROWTH = 0.5, 0.5
"""MiB and file handles a minute that a slope may have: what noise makes of none in ten minutes."""
SAMPLES = 100
EACH_WITHIN = 60
"""Seconds that a short run may go on longer, for each fault to come once."""


@dataclass
class Soak:
    """What happened."""

    answers: Answers
    faults: Faults
    watch: Watch
    promises: Promises
    users: int

    def faulty(self) -> list[str]:
        """What must not be, in words; none when all is well."""
        killed, broken = self.faults.counts["gateway worker killed"], self._broken()
        found = [*self.answers.unexplained, *self.promises.broken]
        if broken > killed * self.users:
            found.append(f"{broken} answers broke off at {killed} kills with {self.users} users")
        return found

    def leaks(self) -> list[str]:
        """What grows, in words. Of a run that is too short its slopes say nothing."""
        slopes = [(self.watch.memory, MEMORY_GROWTH, "memory"), (self.watch.handles, HANDLES_GROWTH, "files")]
        return [
            f"{what} of the {name} grow by {series.slope:.2f} a minute"
            for measured, most, what in slopes
            for name, series in measured.items()
            if series.slope > most
        ]

    def _broken(self) -> int:
        """Answers of the service that did not come; the bucket's are the line's doing."""
        return self.answers.total(BROKEN) - self.answers.counts["upload to S3", BROKEN]

    def lines(self) -> list[str]:
        faults = ", ".join(f"{name}: {count}" for name, count in sorted(self.faults.counts.items()))
        return [
            f"{self.answers.total()} answers to {self.users} users:",
            *self.answers.lines(),
            f"{self.faults.counts.total()} faults: {faults}",
            *self.promises.lines(),
            *self.watch.lines(),
        ]


@contextmanager
def stack_and_line() -> Iterator[tuple[Stack, TcpLine]]:
    """The whole service, and its line to S3 and SQS."""
    with ExitStack() as exits:
        # Not in pytest's folder, which other users may not enter: Postgres runs as one.
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True)))
        line = TcpLine.to(exits.enter_context(emulator(folder)))
        exits.callback(line.close)
        settings = Settings(
            port=0,
            data_dir=folder / "data",
            endpoint_url=f"http://{EDGE_HOST}:{line.port}",
            gateway_workers=GATEWAY_WORKERS,
            batch_workers=BATCH_WORKERS,
            batch_retry=1,
            batch_visibility=5,
        )
        yield exits.enter_context(Stack(settings)), line


def run(seconds: float, users: int, pause: float, seed: int) -> Soak:
    """Traffic for so long; a fault every `pause` seconds in the mean. Raises: what the stack's start does."""
    with stack_and_line() as (stack, line), ExitStack() as exits:
        answers, over = Answers(), threading.Event()
        program = api_key_of_an_admin(stack.url)
        crowd = [
            User(stack.url, f"127.0.2.{number}", program, answers, over, f"{seed}.{number}")
            for number in range(1, users + 1)
        ]
        for user in crowd:
            exits.callback(user.close)
        watch = Watch(stack)
        exits.callback(watch.close)
        faults = Faults(stack, line, random.Random(seed), pause)
        jobs = [user.run for user in crowd]
        jobs += [lambda: faults.run(over), lambda: watch.run(over, seconds / SAMPLES)]
        with ThreadPoolExecutor(len(jobs)) as pool:
            running = [pool.submit(job) for job in jobs]
            over.wait(seconds)
            faults.each_came.wait(EACH_WITHIN)
            over.set()
        for one in running:
            one.result()
        promises = Promises(stack, crowd)
        promises.settle()
        promises.check(watch, GATEWAY_WORKERS + BATCH_WORKERS)
        return Soak(answers, faults, watch, promises, users)


def api_key_of_an_admin(url: str) -> str:
    with Client(url) as admin:
        admin.sign_in("defaultadmin@admin.as", "adminpass").raise_for_status()
        made = admin.post(f"{API}/api_keys", json={"name": "soak"}).raise_for_status()
        return str(made.json()["key"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--pause", type=float, default=4, help="seconds between two faults, in the mean")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}: {given.minutes:g} minutes", flush=True)
    soak = run(given.minutes * 60, given.users, given.pause, given.seed)
    print("\n".join(soak.lines()))
    if found := [*soak.faulty(), *soak.leaks()]:
        sys.exit("\n".join(["It failed:", *found]))
    print("The books balance, every promise was kept, every answer is explained, nothing grows.")


if __name__ == "__main__":
    main()
