"""The cold start of every function: from the start of its process until its handler is ready.

Each runs as on Lambda: `awslambdaric` imports the handler from the unpacked package and asks the
runtime API for its first event, which is the moment that counts. Beside them, in the same rounds, two
floors (`benchmarks/floors/`): an empty handler, and a lean one, which imports what a signed-in function
can't do without.
"""

import importlib.util
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path

from benchmarks.report import Row, write
from deploy import package
from localstack.routes import Service
from localstack.settings import ROOT

FLOORS = ROOT / "benchmarks" / "floors"
EMPTY, LEAN = "an empty handler", "the lean floor"
RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What Lambda's Python has besides boto3 to run a function."""
ELSE = (
    "functions/tasks/create.",
    "functions/tasks/process_csv.",
    "functions/tasks/results.",
    "functions/tasks/resume.",
    "worker/",
    "migrations/",
)
"""Handlers that need more than fixed statements: the files' boto3, the migrations' Alembic."""
PATIENCE = 30.0
"""Seconds for a process to ask for its first event."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    handlers = {EMPTY: "empty.handler", LEAN: "lean.handler"}
    functions = Service.load(ROOT / "serverless.yml", {}).functions.values()
    handlers |= {function.name: function.handler for function in functions}
    with tempfile.TemporaryDirectory() as folder:
        environment = unpack(Path(folder))
        samples = measure(handlers, environment, rounds)
        megabytes = package.ZIP.stat().st_size / 1e6
    rows = [Row(name, "ms", samples[name], LEAN, aim(handler)) for name, handler in handlers.items()]
    rows.append(Row("the package, zipped", "MB", [megabytes], aim=f"≤ {package.BUDGET / 1e6:g} MB"))
    write("cold_start", rows, command=f"python -m benchmarks.cold_start --rounds {rounds}")


def unpack(folder: Path) -> dict[str, str]:
    """Lay out what a function finds on Lambda, with this machine's wheels and byte code.

    Returns:
        The environment of its process.
    """
    package.STAGE, package.ZIP = folder / "task", folder / "task.zip"
    package.TARGET = ("--python", sys.executable)  # type: ignore[assignment]  # of another length
    os.environ["LAMBDA_PYTHON"] = sys.executable
    package.stage_dependencies()
    package.prune()
    package.stage_service()
    package.compile_to_byte_code()
    package.write_zip()
    for floor in FLOORS.iterdir():
        (package.STAGE / floor.name).write_bytes(floor.read_bytes())
    package.compile_to_byte_code()
    runtime = folder / "runtime"
    runtime.mkdir()
    for name in (*RUNTIME, *package.LEFT_OUT):
        found = importlib.util.find_spec(name)
        if found and found.origin:
            module = Path(found.origin)
            place = module.parent if found.submodule_search_locations else module
            (runtime / place.name).symlink_to(place)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(runtime),
        "LAMBDA_TASK_ROOT": str(package.STAGE),
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "POWERTOOLS_SERVICE_NAME": "restcalculator",
    }


def measure(
    handlers: Mapping[str, str], environment: Mapping[str, str], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of every handler, once a round, each round in an order of its own."""
    samples: dict[str, list[float]] = {name: [] for name in handlers}
    chance = random.Random(rounds)
    for handler in handlers.values():  # the first start reads its files from the disk
        start(handler, environment)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr, flush=True)
        for name in chance.sample(list(handlers), len(handlers)):
            samples[name].append(start(handlers[name], environment))
    return samples


def start(handler: str, environment: Mapping[str, str]) -> float:
    """Milliseconds from the start of a process until it asks for its first event."""
    with socket.create_server(("127.0.0.1", 0)) as runtime_api:
        runtime_api.settimeout(PATIENCE)
        address = f"127.0.0.1:{runtime_api.getsockname()[1]}"
        # -S: nothing but the package, which -m finds where it is run, and the runtime, as on Lambda.
        command = [sys.executable, "-S", "-s", "-m", "awslambdaric", handler]
        told = {**environment, "AWS_LAMBDA_RUNTIME_API": address}
        started = time.perf_counter()
        process = subprocess.Popen(command, env=told, cwd=told["LAMBDA_TASK_ROOT"])
        connection = None
        try:
            connection, _ = runtime_api.accept()
            request = connection.recv(1024)
            taken = time.perf_counter() - started
        finally:
            process.kill()  # before the connection ends, of which it would complain
            process.wait()
            if connection:
                connection.close()
    # The other thing that a runtime asks for is to say why its handler can't be imported.
    assert request.startswith(b"GET /2018-06-01/runtime/invocation/next "), (handler, request)
    return taken * 1000


def aim(handler: str) -> str:
    """What is aimed at, of the lean floor."""
    if handler.startswith(ELSE) or "/" not in handler:
        return ""
    return "≤ 2" if handler.endswith("/list.app") else "≤ 1.15"


if __name__ == "__main__":
    main()
