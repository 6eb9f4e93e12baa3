"""Measure the start of the local stack: the time until `make up` is ready, and the processor time until then.

The first start of a data folder creates the database; the next one finds it. With `--before COMMIT` the stack
of an earlier commit starts in each round too, in turns. The processor time is that of all processes of the
stack without Postgres. Other programs change it less than the time until the stack is ready.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread

import psutil

from benchmarks.batch_versions import checked_out
from benchmarks.report import Row, write
from deploy.environment import ROOT
from localstack import ports

READY = "is ready"
SAMPLE_SECONDS = 0.05
"""Interval of the samples of processor time. The time after the last sample of a process is missing."""
NOW, BEFORE = "now", "before"
STARTS = ("first start", "next start")
AIMS = {"ready, next start": "≤ 2 s"}


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", metavar="COMMIT", help="an earlier commit to compare with")
    options = parser.parse_args()
    samples: dict[tuple[str, str], list[float]] = {}
    with checked_out(options.before) if options.before else nullcontext() as earlier:
        versions = {NOW: ROOT, **({BEFORE: earlier} if earlier else {})}
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} …", file=sys.stderr, flush=True)
            for name in random.sample(list(versions), len(versions)):
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                    Path(folder).chmod(0o755)  # the embedded Postgres may run as another user
                    for start in STARTS:
                        ready, processor = _start(versions[name], Path(folder))
                        samples.setdefault((name, f"ready, {start}"), []).append(ready)
                        samples.setdefault((name, f"processor, {start}"), []).append(processor)
    command = f"python -m benchmarks.start --rounds {options.rounds}"
    command += f" --before {options.before}" if options.before else ""
    write("start", _rows(samples), command=command)


def _start(version: Path, folder: Path) -> tuple[float, float]:
    """Start and stop the stack. Return the seconds until it was ready, and its processor time until then."""
    free = {name: str(ports.available(0, "127.0.0.1", name)) for name in ("PORT", "LOCALSTACK_PORT")}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "localstack.run", "up"],
        cwd=version,
        env={**os.environ, **free, "DATA_DIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    used: dict[int, float] = {}
    sampling = Thread(target=_sample, args=(psutil.Process(process.pid), used))
    sampling.start()
    output = ""
    for line in process.stdout:
        output += line
        if READY in line:
            break
    ready, processor = time.perf_counter() - began, sum(list(used.values()))
    process.send_signal(signal.SIGINT)
    process.communicate()
    sampling.join()
    assert READY in output, output
    return ready, processor


def _sample(leader: psutil.Process, used: dict[int, float]) -> None:
    """Write the processor seconds of each process of the stack to `used`, until the stack has ended."""
    while leader.is_running() and leader.status() != psutil.STATUS_ZOMBIE:
        with suppress(psutil.NoSuchProcess):
            for process in (leader, *leader.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    used[process.pid] = times.user + times.system
        time.sleep(SAMPLE_SECONDS)


def _rows(samples: dict[tuple[str, str], list[float]]) -> list[Row]:
    rows = []
    for (name, what), values in samples.items():
        is_compared = name == NOW and (BEFORE, what) in samples
        rows.append(
            Row(
                what if name == NOW else f"{what}, {BEFORE}",
                "s",
                values,
                f"{what}, {BEFORE}" if is_compared else "",
                AIMS.get(what, "") if name == NOW else "",
            )
        )
    return sorted(rows, key=lambda row: row.what)


if __name__ == "__main__":
    main()
