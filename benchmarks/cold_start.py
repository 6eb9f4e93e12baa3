"""The cold start of every function: until its handler is ready, and until its first answer.

Each runs as on Lambda: `awslambdaric` imports the handler from the unpacked package and asks the
runtime API for its first event, which is the moment that counts. Some are given an event, and then their
answer counts, for which Postgres is reached by TCP and TLS. Beside them, in the same rounds, floors
(`benchmarks/floors/`): an empty handler; a lean one, which imports what a signed-in function can't do
without; the charge by an ORM, and by hand. Where there is valgrind, it counts instructions too.
"""

import importlib.util
import os
import random
import re
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
from benchmarks.charge import PEOPLE
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.event import get, post
from benchmarks.report import Row, figure, write
from benchmarks.runtime_api import PATIENCE, RuntimeApi
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
"""Whose instructions are counted."""
RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What Lambda's Python has besides boto3 to run a function."""
BEYOND_FIXED_STATEMENTS = (
    "functions/tasks/create.",
    "functions/tasks/process_csv.",
    "functions/tasks/results.",
    "functions/tasks/resume.",
    "worker/",
    "migrations/",
)
"""Handlers that need more than fixed statements: the files' boto3, the migrations' Alembic."""
PERSON = UUID(int=1)
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
SLOWER = 50
"""Times as patient as ever with a process whose instructions are counted."""


@dataclass(frozen=True)
class Start:
    """What starts: a handler in its environment, and who makes the event that it answers, if any."""

    handler: str
    environment: Mapping[str, str]
    event: Callable[[], Any] | None = None

    @property
    def command(self) -> Sequence[str]:
        # -S: nothing but the package, which -m finds where it is run, and the runtime, as on Lambda.
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
        database.run(PEOPLE.format(count=1))
        reached = exits.enter_context(over_tls(postgres, folder))
        starts = {name: Start(handler, environment) for name, handler in handlers.items()}
        answers = first_answers(handlers, {**environment, **reached}, folder)
        samples = measure({**starts, **answers}, rounds)
        rows = [Row(name, "ms", samples[name], LEAN, aim(handler)) for name, handler in handlers.items()]
        rows += _of_first_answers(samples)
        counted, notes = _counts({name: starts[name] for name in COUNTED}, folder)
        write(
            "cold_start",
            [*rows, *counted, *_zipped(folder / "lambda")],
            command=f"python -m benchmarks.cold_start --rounds {rounds}",
            notes=[*notes, *_money(samples, list(functions))],
            database=database,
        )


def unpack(folder: Path) -> dict[str, str]:
    """Lay out what a function finds on Lambda, with this machine's wheels and byte code.

    Returns:
        The environment of its process.
    """
    task, runtime = folder / "task", folder / "runtime"
    package.stage(task, ("--python", sys.executable))
    _add_floors(task)
    runtime.mkdir()
    for name in (*RUNTIME, *package.EXCLUDED):
        found = importlib.util.find_spec(name)
        if found and found.origin:
            module = Path(found.origin)
            place = module.parent if found.submodule_search_locations else module
            (runtime / place.name).symlink_to(place)
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


def first_answers(
    handlers: Mapping[str, str], environment: Mapping[str, str], folder: Path
) -> dict[str, Start]:
    """Functions that are given an event: by a person who is signed in."""
    with_orm = folder / "orm"  # of which the package has nothing
    package.stage_dependencies(with_orm, ("--python", sys.executable))
    _add_floors(with_orm)
    given = {**environment, **{name: os.environ[name] for name in ("CONFIG_TYPE", "JWT_SECRET_KEY")}}

    def token() -> str:
        return tokens.issue(PERSON, PERSON, "client").access

    def charge() -> dict[str, Any]:
        body = {"type": "addition", "arguments": [1.5, 2]}
        return post("/api/v1/process_operation", body, headers={"authorization": f"Bearer {token()}"})

    starts = {
        ME: Start(handlers[ME], given, lambda: get("/api/v1/users/me", token())),
        CHARGE: Start(handlers[CHARGE], given, charge),
        ORM: Start("orm.handler", {**given, "LAMBDA_TASK_ROOT": str(with_orm)}, charge),
        BY_HAND: Start("bare.handler", given, charge),
    }
    return {_first(name): start for name, start in starts.items()}


def _first(name: str) -> str:
    return f"{name}: first answer"


def measure(starts: Mapping[str, Start], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every start, once a round, each round in an order of its own."""
    samples: dict[str, list[float]] = {name: [] for name in starts}
    chance = random.Random(rounds)
    for start in starts.values():  # the first start reads its files from the disk
        start.milliseconds()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr, flush=True)
        for name in chance.sample(list(starts), len(starts)):
            samples[name].append(starts[name].milliseconds())
    return samples


def _of_first_answers(samples: Mapping[str, Sequence[float]]) -> list[Row]:
    me, charge, orm, by_hand = (_first(name) for name in (ME, CHARGE, ORM, BY_HAND))
    return [
        Row(orm, "ms", samples[orm]),
        Row(by_hand, "ms", samples[by_hand]),
        Row(charge, "ms", samples[charge], orm, "≤ 0.45"),
        Row(f"{charge}, again", "ms", samples[charge], by_hand, "≤ 2.5"),
        Row(me, "ms", samples[me], by_hand),
    ]


def _counts(starts: Mapping[str, Start], folder: Path) -> tuple[list[Row], list[str]]:
    """Instructions until a handler is ready, once each: they hardly stray. And a note where none can be."""
    if not shutil.which(VALGRIND[0]):
        return [], ["No instructions were counted: there is no valgrind on this machine."]
    rows = [Row(_counted(BARE), "M", [_instructions(None, folder)])]
    limit = _counted(LEAN)
    rows += [
        Row(_counted(name), "M", [_instructions(start, folder)], limit) for name, start in starts.items()
    ]
    charge = next(row for row in rows if row.what == _counted(CHARGE))
    again = replace(charge, what=f"{charge.what}, again", limit=rows[0].what, aim="≤ 29")
    return [*rows, again], []


def _counted(name: str) -> str:
    return f"{name}: instructions"


def _instructions(start: Start | None, folder: Path) -> float:
    """Millions; without a start those of a Python as it is, `site` included, that does nothing."""
    told = folder / "instructions"
    count = (*VALGRIND, f"--log-file={told}")
    if start is None:
        subprocess.run([*count, sys.executable, "-I", "-c", ""], check=True)
    else:
        with RuntimeApi(patience=SLOWER * PATIENCE) as runtime_api:
            runtime_api.seconds([*count, *start.command], {**start.environment, "PYTHONHASHSEED": "0"})
    counted = re.search(r"I\s+refs:\s+([\d,]+)", told.read_text())
    assert counted, told.read_text()
    return int(counted[1].replace(",", "")) / 1e6


def _zipped(stage: Path) -> list[Row]:
    """The deployable zip, for Lambda's processor and Python, where there is such a Python."""
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
    costs = "; ".join(f"{figure(taken)} ms ({name}) {money.dollars(taken)}" for name, taken in ready.items())
    gigabytes = sum(function.memory for function in functions) / 1024
    kept = money.SNAPSHOT_KEPT * gigabytes * money.MONTH
    restored = money.SNAPSHOT_RESTORED * money.FUNCTION / 1024 * 1e6
    return [
        f"**In money**: of a million cold starts, {costs}. Lambda gives a start more of a processor than a"
        " call, so they are reckoned as measured.",
        f"**SnapStart** would cost ${kept:.0f} a month for a version of each of the {len(functions)}"
        f" functions of `serverless.yml`, and ${restored:.0f} for a million restored, {money.FUNCTION} MB"
        f" each: {restored / money.million(ready[ME]):.0f} times the {figure(ready[ME])} ms it would save.",
    ]


def aim(handler: str) -> str:
    """What is aimed at, of the lean floor."""
    if handler.startswith(BEYOND_FIXED_STATEMENTS) or "/" not in handler:
        return ""
    return "≤ 2" if handler.endswith("/list.app") else "≤ 1.15"


if __name__ == "__main__":
    main()
