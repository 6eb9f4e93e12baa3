"""Measure charges through the local gateway, over kept connections and with a new connection for each.

With `--before COMMIT` the gateway of an earlier commit handles the same calls in each round, in turns. Each
gateway has a database of its own on the same server. Callers, gateways and Postgres share the machine, so
only the ratios within a round carry over. On a busy machine compare `--instructions`, which needs valgrind.
"""

import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import psutil

from benchmarks.batch_versions import Version, earlier, stack_without_worker
from benchmarks.charge import BODY, INSERT_USERS, PATH
from benchmarks.instructions import count, counted
from benchmarks.open_loop import Call, wait_for_each
from benchmarks.report import Row, figure, write
from localstack import ports
from shared.auth import tokens

USER_COUNT = 500
WORKERS, AT_ONCE = 4, 8
"""Processes of the gateway, and callers, each of which sends its next call after the last response."""
WARM_UP_SECONDS = 1.0
COUNTED_CALLS = (50, 350)
"""Calls of two runs. Their difference is counted, because both include the start of the gateway."""
START_SECONDS = 300
"""Time limit for a gateway to start, on a busy machine and under valgrind."""
CONNECTIONS = {"kept connections": True, "a connection for each call": False}
UNITS = {"calls": "/s", "p50": "ms", "p99": "ms", "processor": "ms a call"}
AIMS = {"calls": "≥ 2", "processor": "≤ 0.5"}
NOW, BEFORE = "now", "before"
Samples = dict[tuple[str, str, str], list[float]]


@dataclass(frozen=True)
class Gateway:
    """A running gateway: the process that starts the others, and its URL."""

    process: psutil.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[psutil.Process]:
        return self.process.children()

    def processor_seconds(self) -> float:
        times = [process.cpu_times() for process in (self.process, *self.workers)]
        return sum(time.user + time.system for time in times)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--before", metavar="COMMIT", help="an earlier commit to compare with")
    parser.add_argument(
        "--instructions", action="store_true", help="also count instructions, which takes minutes"
    )
    options = parser.parse_args()
    with ExitStack() as exits:
        folder, current = exits.enter_context(stack_without_worker())
        versions = {NOW: current}
        if options.before:
            versions[BEFORE] = exits.enter_context(earlier(options.before, current))
        for version in versions.values():
            version.database.run(INSERT_USERS.format(count=USER_COUNT))
        samples = _samples(versions, options.rounds, options.seconds)
        notes = [_counts(versions, folder)] if options.instructions else []
        command = f"python -m benchmarks.gateway --rounds {options.rounds} --seconds {options.seconds:g}"
        command += f" --before {options.before}" if options.before else ""
        command += " --instructions" if options.instructions else ""
        write("gateway", _rows(samples), command=command, notes=notes, database=current.database)


def _samples(versions: Mapping[str, Version], rounds: int, seconds: float) -> Samples:
    """Measure the gateways in turns, after a round that warms them up."""
    samples: Samples = {}
    with ExitStack() as exits:
        gateways = {
            name: exits.enter_context(_running(version, WORKERS)) for name, version in versions.items()
        }
        generator = exits.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        for number in range(rounds + 1):
            print(f"round {number} of {rounds} …", file=sys.stderr, flush=True)
            calls = _calls()  # with new tokens, which are valid for longer than a round
            for connections, kept in CONNECTIONS.items():
                for name in random.sample(list(gateways), len(gateways)):
                    duration = seconds if number else WARM_UP_SECONDS
                    figures = _figures(generator, gateways[name], calls, duration, kept)
                    for what, value in figures.items() if number else ():
                        samples.setdefault((name, connections, what), []).append(value)
    return samples


def _figures(
    generator: Executor, gateway: Gateway, calls: Sequence[Call], seconds: float, kept: bool
) -> dict[str, float]:
    before = gateway.processor_seconds()
    responses = generator.submit(wait_for_each, gateway.url, calls, AT_ONCE, seconds, kept).result()
    used = gateway.processor_seconds() - before
    percentiles = statistics.quantiles(responses.latencies, n=100, method="inclusive")
    processor = used * 1000 / len(responses.latencies)
    return dict(zip(UNITS, (responses.rate, percentiles[49], percentiles[98], processor), strict=True))


@contextmanager
def _running(version: Version, workers: int, prefix: Sequence[str] = ()) -> Iterator[Gateway]:
    """Run the gateway of a version for the block.

    Args:
        prefix: the command that runs the process, if not the interpreter itself.
    """
    port = ports.available(0, "127.0.0.1", "PORT")
    variables = {"PORT": str(port), "GATEWAY_WORKERS": str(workers), "AWS_PGSQL_PATH": version.url}
    variables["PYTHONHASHSEED"] = "0"  # so that two starts execute nearly the same instructions
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "localstack.server"],
        cwd=version.folder,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,  # the gateway ends when it closes
        stdout=subprocess.DEVNULL,
    )
    try:
        gateway = Gateway(psutil.Process(process.pid), port)
        _wait_for(gateway)
        yield gateway
        for worker in gateway.workers:  # valgrind takes longer to end than the gateway's grace period
            worker.terminate()
            worker.wait(START_SECONDS)
    finally:
        process.terminate()
        process.communicate()


def _wait_for(gateway: Gateway) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=START_SECONDS)
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
            return
        except OSError:
            if time.monotonic() > deadline or not gateway.process.is_running():
                raise
            time.sleep(0.1)
        finally:
            connection.close()


def _calls() -> list[Call]:
    """Return a charge of each user."""
    user_ids = [UUID(int=number + 1) for number in range(USER_COUNT)]
    body = json.dumps(BODY).encode()
    return [Call("POST", PATH, tokens.issue(user, user, "client").access, body) for user in user_ids]


def _rows(samples: Samples) -> list[Row]:
    rows = []
    for (name, connections, what), values in samples.items():
        baseline = f"{what}, {connections}, {BEFORE}" if (BEFORE, connections, what) in samples else ""
        is_now = name == NOW
        rows.append(
            Row(
                f"{what}, {connections}" + ("" if is_now else f", {BEFORE}"),
                UNITS[what],
                values,
                baseline if is_now else "",
                AIMS.get(what, "") if is_now and baseline else "",
            )
        )
    return sorted(rows, key=lambda row: row.what)


def _counts(versions: Mapping[str, Version], folder: Path) -> str:
    counts = {name: _instructions(version, folder) for name, version in versions.items()}
    text = ", ".join(f"{name} {figure(instructions / 1000)}" for name, instructions in counts.items())
    return f"Instructions of a charge over a kept connection, the function included, in thousands: {text}."


def _instructions(version: Version, folder: Path) -> float:
    totals = []
    for calls in COUNTED_CALLS:
        with _running(version, 1, count(folder / "instructions.%p")) as gateway:
            (worker,) = gateway.workers
            _charge(gateway, calls)
        # The counts of a forked process include those of its parent until then.
        totals.append(counted(folder / f"instructions.{worker.pid}"))
    return (totals[1] - totals[0]) / (COUNTED_CALLS[1] - COUNTED_CALLS[0])


def _charge(gateway: Gateway, calls: int) -> None:
    """Send charges of one user, one after the other, over one connection."""
    call = _calls()[0]
    headers = {"Authorization": f"Bearer {call.token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=START_SECONDS)
    for _ in range(calls):
        connection.request(call.method, call.path, call.body, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
    connection.close()


if __name__ == "__main__":
    main()
