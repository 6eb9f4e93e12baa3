"""Send mixed traffic of many users while a fault is injected every few seconds:
`python -m tests.soak.soak --minutes 10 --seed 7`.

Afterwards, all balances must be right, acknowledged changes stored, all responses expected, and no resource
leaked. The seed determines the actions and faults, but not the timing of threads.
"""

import argparse
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from localstack.cloud import EDGE_HOST
from localstack.stack import Stack
from localstack.stack_settings import Settings
from tests.soak.faults import Faults
from tests.soak.final_checks import FinalChecks
from tests.soak.leaks import ResourceMonitor
from tests.soak.responses import BROKEN, Responses
from tests.soak.user import User
from tests.support.data_folder import data_folder
from tests.support.faults.emulator import emulator
from tests.support.faults.tcp_proxy import TcpProxy
from tests.support.http_client import API, Client

GATEWAY_WORKERS, BATCH_WORKERS = 3, 2
MEMORY_GROWTH, HANDLES_GROWTH = 0.5, 0.5
"""The limits of a slope in MiB and file handles per minute: noise alone reaches them within ten minutes."""
SAMPLES = 100
EXTRA_SECONDS = 60
"""The limit by which a short run is extended, until every kind of fault was injected."""


@dataclass
class Soak:
    """The results of a run."""

    responses: Responses
    faults: Faults
    monitor: ResourceMonitor
    final_checks: FinalChecks
    users: int

    def failures(self) -> list[str]:
        """Return descriptions of all failures."""
        killed, broken = self.faults.counts["gateway worker killed"], self._broken()
        found = [*self.responses.unexpected, *self.final_checks.failures]
        if broken > killed * self.users:
            found.append(f"{broken} responses were broken off by {killed} kills with {self.users} users")
        return found

    def leaks(self) -> list[str]:
        """Return descriptions of growing resources. In a short run, the slopes are not significant."""
        slopes = [
            (self.monitor.memory, MEMORY_GROWTH, "memory"),
            (self.monitor.handles, HANDLES_GROWTH, "files"),
        ]
        return [
            f"{what} of the {name} grow by {series.slope:.2f} per minute"
            for measured, limit, what in slopes
            for name, series in measured.items()
            if series.slope > limit
        ]

    def _broken(self) -> int:
        """Return the number of broken responses of the service. The proxy breaks those of the bucket."""
        return self.responses.total(BROKEN) - self.responses.counts["upload to S3", BROKEN]

    def lines(self) -> list[str]:
        faults = ", ".join(f"{name}: {count}" for name, count in sorted(self.faults.counts.items()))
        return [
            f"{self.responses.total()} responses to {self.users} users:",
            *self.responses.lines(),
            f"{self.faults.counts.total()} faults: {faults}",
            *self.final_checks.lines(),
            *self.monitor.lines(),
        ]


@contextmanager
def stack_and_proxy() -> Iterator[tuple[Stack, TcpProxy]]:
    """Run the whole service. Yield it with its proxy to S3 and SQS."""
    with ExitStack() as exits:
        folder = exits.enter_context(data_folder())
        proxy = TcpProxy.to(exits.enter_context(emulator(folder)))
        exits.callback(proxy.close)
        settings = Settings(
            port=0,
            data_dir=folder,
            endpoint_url=f"http://{EDGE_HOST}:{proxy.port}",
            gateway_workers=GATEWAY_WORKERS,
            batch_workers=BATCH_WORKERS,
            batch_retry=1,
            batch_visibility=5,
        )
        yield exits.enter_context(Stack(settings)), proxy


def run(seconds: float, users: int, pause: float, seed: int) -> Soak:
    """Send traffic for this long, with a fault every `pause` seconds on average. Return the results."""
    with stack_and_proxy() as (stack, proxy), ExitStack() as exits:
        responses, stop = Responses(), threading.Event()
        admin_key = api_key_of_an_admin(stack.url)
        soak_users = [
            User(stack.url, f"127.0.2.{number}", admin_key, responses, stop, f"{seed}.{number}")
            for number in range(1, users + 1)
        ]
        for user in soak_users:
            exits.callback(user.close)
        monitor = ResourceMonitor(stack)
        exits.callback(monitor.close)
        faults = Faults(stack, proxy, random.Random(seed), pause)
        jobs = [user.run for user in soak_users]
        jobs += [lambda: faults.run(stop), lambda: monitor.run(stop, seconds / SAMPLES)]
        with ThreadPoolExecutor(len(jobs)) as pool:
            running = [pool.submit(job) for job in jobs]
            stop.wait(seconds)
            faults.all_injected.wait(EXTRA_SECONDS)
            stop.set()
        for one in running:
            one.result()
        final_checks = FinalChecks(stack, soak_users)
        final_checks.settle()
        final_checks.check(monitor, GATEWAY_WORKERS + BATCH_WORKERS)
        return Soak(responses, faults, monitor, final_checks, users)


def api_key_of_an_admin(url: str) -> str:
    with Client(url) as admin:
        admin.sign_in("defaultadmin@admin.as", "adminpass").raise_for_status()
        wanted = {"name": "soak", "scopes": ["read", "admin"]}
        created = admin.post(f"{API}/api_keys", json=wanted).raise_for_status()
        return str(created.json()["key"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--pause", type=float, default=4, help="mean number of seconds between two faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}: {arguments.minutes:g} minutes", flush=True)
    soak = run(arguments.minutes * 60, arguments.users, arguments.pause, arguments.seed)
    print("\n".join(soak.lines()))
    if found := [*soak.failures(), *soak.leaks()]:
        sys.exit("\n".join(["The run failed:", *found]))
    print("All balances are right, acknowledged changes stored, responses expected, and no resource grows.")


if __name__ == "__main__":
    main()
