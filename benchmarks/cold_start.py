"""Measure the cold start of every function, until its handler is ready and until its first response.

Each function runs as on Lambda: `awslambdaric` imports the handler from the unpacked package and requests its
first event from the runtime API. The time of that request is the result. For the first response, the runtime
API sends an event, and the function reaches Postgres by TCP and TLS. For comparison, the same rounds measure
the handlers of `benchmarks/floors/`: an empty one; a lean one, which imports the minimum of a function with
sign-in; the charge with an ORM, and by hand. If valgrind is installed, it counts instructions too.
"""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import money
from benchmarks.charge import INSERT_USERS
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.event import get, post
from benchmarks.instructions import INSTALLED, count, counted
from benchmarks.report import Row, figure, write
from benchmarks.runtime_api import TIMEOUT_SECONDS, RuntimeApi
from benchmarks.tls import over_tls
from deploy import package
from deploy.environment import ROOT
from deploy.serverless_file import Function, Service
from shared.auth import tokens

FLOORS = ROOT / "benchmarks" / "floors"
EMPTY, LEAN, BARE = "an empty handler", "the lean floor", "a bare interpreter"
ME, CHARGE = "me", "processOperation"
ORM, BY_HAND = "the charge by an ORM", "the charge by hand"
COUNTED = (LEAN, ME, CHARGE, "login", "createTask", "listRecords")
"""The starts whose instructions valgrind counts."""
RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""Packages of Lambda's Python runtime, besides boto3."""
WITHOUT_AIM = (
    *("functions/exports/create.", "functions/exports/get.", "functions/housekeeping/restart_tasks."),
    *("functions/tasks/cancel.", "functions/tasks/create.", "functions/tasks/process_csv."),
    *("functions/tasks/results.", "functions/tasks/resume.", "functions/tasks/start."),
    *("functions/webhooks/redeliver.", "functions/webhooks/test.", "webhooks/", "worker/", "migrations/"),
)
"""Handlers that import more than the lean floor: boto3 for files and queues, Alembic for migrations."""
PERSON = UUID(int=1)
VALGRIND_SLOWDOWN = 50
"""Factor by which the timeout is longer under valgrind."""


@dataclass(frozen=True)
class Start:
    """A handler, its environment, and for a first response the function that creates its event."""

    handler: str
    environment: Mapping[str, str]
    event: Callable[[], Any] | None = None

    @property
    def command(self) -> Sequence[str]:
        # -S: no site-packages, as on Lambda. Python finds the package in the working directory.
        return (sys.executable, "-S", "-s", "-m", "awslambdaric", self.handler)

    def milliseconds(self) -> float:
        with RuntimeApi(self.event() if self.event else None) as runtime_api:
            return runtime_api.seconds(self.command, self.environment) * 1000


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    functions = Service.load(ROOT / "serverless.yml", {}).functions.values()
    handlers = {EMPTY: "empty.handler", LEAN: "lean.handler"}
    handlers |= {function.name: function.handler for function in functions}
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        environment = unpack(folder)
        postgres = exits.enter_context(migrated())
        database = exits.enter_context(connect(postgres.url))
        database.run(INSERT_USERS.format(count=1))
        tls_environment = exits.enter_context(over_tls(postgres, folder))
        starts = {name: Start(handler, environment) for name, handler in handlers.items()}
        first = first_responses(handlers, {**environment, **tls_environment}, folder)
        samples = measure({**starts, **first}, rounds)
        rows = [Row(name, "ms", samples[name], LEAN, aim(handler)) for name, handler in handlers.items()]
        rows += _first_response_rows(samples)
        counted, notes = _counts({name: starts[name] for name in COUNTED}, folder)
        write(
            "cold_start",
            [*rows, *counted, *_zipped(folder / "lambda")],
            command=f"python -m benchmarks.cold_start --rounds {rounds}",
            notes=[*notes, *_money(samples, list(functions))],
            database=database,
        )


def unpack(folder: Path) -> dict[str, str]:
    """Write the files that a function has on Lambda, with this machine's wheels and byte code.

    Returns:
        The environment variables of the function's process.
    """
    task, runtime = folder / "task", folder / "runtime"
    package.stage(task, ("--python", sys.executable))
    _add_floors(task)
    runtime.mkdir()
    for name in (*RUNTIME, *package.EXCLUDED):
        found = importlib.util.find_spec(name)
        if found and found.origin:
            module = Path(found.origin)
            path = module.parent if found.submodule_search_locations else module
            (runtime / path.name).symlink_to(path)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(runtime),
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "POWERTOOLS_SERVICE_NAME": "restcalculator",
    }


def _add_floors(task: Path) -> None:
    shutil.copytree(FLOORS, task, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    package.compile_to_byte_code(task, sys.executable)


def first_responses(
    handlers: Mapping[str, str], environment: Mapping[str, str], folder: Path
) -> dict[str, Start]:
    """Return the starts of functions that receive the event of a signed-in user."""
    with_orm = folder / "orm"  # its own folder, because the package contains no ORM
    package.stage_dependencies(with_orm, ("--python", sys.executable))
    _add_floors(with_orm)
    variables = {**environment, **{name: os.environ[name] for name in ("CONFIG_TYPE", "JWT_SECRET_KEY")}}

    def token() -> str:
        return tokens.issue(PERSON, PERSON, "client").access

    def charge() -> dict[str, Any]:
        body = {"type": "addition", "arguments": [1.5, 2]}
        return post("/api/v1/process_operation", body, headers={"authorization": f"Bearer {token()}"})

    starts = {
        ME: Start(handlers[ME], variables, lambda: get("/api/v1/users/me", token())),
        CHARGE: Start(handlers[CHARGE], variables, charge),
        ORM: Start("orm.handler", {**variables, "LAMBDA_TASK_ROOT": str(with_orm)}, charge),
        BY_HAND: Start("bare.handler", variables, charge),
    }
    return {_first(name): start for name, start in starts.items()}


def _first(name: str) -> str:
    return f"{name}: first response"


def measure(starts: Mapping[str, Start], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of every start. Each round runs every start once, in random order."""
    samples: dict[str, list[float]] = {name: [] for name in starts}
    generator = random.Random(rounds)
    for start in starts.values():  # the first start reads its files from the disk
        start.milliseconds()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr, flush=True)
        for name in generator.sample(list(starts), len(starts)):
            samples[name].append(starts[name].milliseconds())
    return samples


def _first_response_rows(samples: Mapping[str, Sequence[float]]) -> list[Row]:
    me, charge, orm, by_hand = (_first(name) for name in (ME, CHARGE, ORM, BY_HAND))
    return [
        Row(orm, "ms", samples[orm]),
        Row(by_hand, "ms", samples[by_hand]),
        Row(charge, "ms", samples[charge], orm, "≤ 0.45"),
        Row(f"{charge}, beside {BY_HAND}", "ms", samples[charge], by_hand, "≤ 2.5"),
        Row(me, "ms", samples[me], by_hand),
    ]


def _counts(starts: Mapping[str, Start], folder: Path) -> tuple[list[Row], list[str]]:
    """Return rows of the instructions until a handler is ready, or a note if valgrind is not installed.

    One sample each is enough, because the counts hardly vary.
    """
    if not INSTALLED:
        return [], ["No instructions were counted, because valgrind is not installed on this machine."]
    rows = [Row(_counted(BARE), "M", [_instructions(None, folder)])]
    baseline = _counted(LEAN)
    rows += [
        Row(_counted(name), "M", [_instructions(start, folder)], baseline) for name, start in starts.items()
    ]
    charge = next(row for row in rows if row.what == _counted(CHARGE))
    beside_bare = replace(charge, what=f"{charge.what}, beside {BARE}", baseline=rows[0].what, aim="≤ 29")
    return [*rows, beside_bare], []


def _counted(name: str) -> str:
    return f"{name}: instructions"


def _instructions(start: Start | None, folder: Path) -> float:
    """Return the millions of instructions of a start; for None, those of Python with an empty program."""
    log = folder / "instructions"
    if start is None:
        subprocess.run([*count(log), sys.executable, "-I", "-c", ""], check=True)
    else:
        with RuntimeApi(timeout=VALGRIND_SLOWDOWN * TIMEOUT_SECONDS) as runtime_api:
            runtime_api.seconds([*count(log), *start.command], {**start.environment, "PYTHONHASHSEED": "0"})
    return counted(log) / 1e6


def _zipped(stage: Path) -> list[Row]:
    """Return the row of the deployable zip for Lambda, or no row without a Python of Lambda's version."""
    python = package.lambda_python()
    if python is None:
        return []
    package.stage(stage, package.TARGET)
    package.compile_to_byte_code(stage, python)
    package.write_zip(stage, zipped := stage.with_suffix(".zip"))
    megabytes = zipped.stat().st_size / 1e6
    return [Row("the package, zipped", "MB", [megabytes], aim=f"≤ {package.BUDGET / 1e6:g} MB")]


def _money(samples: Mapping[str, Sequence[float]], functions: Sequence[Function]) -> list[str]:
    ready = {name: Row(name, "ms", samples[name]).median for name in (ME, "listRecords")}
    costs = ", ".join(f"{money.dollars(ms)} ({name}, {figure(ms)} ms each)" for name, ms in ready.items())
    gigabytes = sum(function.memory for function in functions) / 1024
    kept = money.SNAPSHOT_KEPT * gigabytes * money.MONTH_SECONDS
    restored = money.SNAPSHOT_RESTORED * money.FUNCTION / 1024 * 1e6
    return [
        f"**In money**: a million cold starts cost {costs}. Lambda assigns more processor time to a start"
        " than to a call, so the costs assume the measured time.",
        f"**SnapStart** would cost ${kept:.0f} a month for one version of each of the {len(functions)}"
        f" functions of `serverless.yml`, and ${restored:.0f} for a million restores of {money.FUNCTION} MB:"
        f" {restored / money.million(ready[ME]):.0f} times the cost of the {figure(ready[ME])} ms that a"
        " restore saves.",
    ]


def aim(handler: str) -> str:
    """Return the aim for the ratio to the lean floor, or "" if there is none."""
    if handler.startswith(WITHOUT_AIM) or "/" not in handler:
        return ""
    return "≤ 1.3" if handler.endswith("/list.app") else "≤ 1.15"


if __name__ == "__main__":
    main()
