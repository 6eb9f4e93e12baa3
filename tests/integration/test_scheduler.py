"""The offline cloud's EventBridge, with the functions of a small service."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.serverless_file import Service
from localstack.scheduler import Schedule, Timer
from tests.support.eventually import eventually
from tests.support.function_processes import function_processes
from tests.support.offline_service import write_service

PERIOD = timedelta(seconds=0.3)


@contextmanager
def running(name: str, folder: Path) -> Iterator[None]:
    """Invoke a function of the small service every PERIOD within the block."""
    function = Service.load(write_service(folder), {}).functions[name]
    stopping = threading.Event()
    with function_processes(folder) as processes:
        timer = Timer(function, Schedule(PERIOD, datetime.now(UTC)), processes, stopping)
        thread = threading.Thread(target=timer.run)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()


def invocations(folder: Path) -> list[Path]:
    return sorted((folder / "received").glob("scheduled.*"))


def test_scheduled_function_runs_in_a_new_process_each_time(
    tmp_path: Path,
) -> None:
    with running("tick", tmp_path):
        eventually(lambda: len(invocations(tmp_path)) >= 2)
    first, second = (json.loads(file.read_text()) for file in invocations(tmp_path)[:2])
    assert first["pid"] != second["pid"]
    for invocation in (first, second):
        assert (invocation["event"]["source"], invocation["event"]["detail-type"]) == (
            "aws.events",
            "Scheduled Event",
        )
        due = datetime.fromisoformat(invocation["event"]["time"])
        assert timedelta(0) <= datetime.now(UTC) - due < timedelta(minutes=1)


def test_failing_scheduled_function_is_invoked_again_on_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("fail", tmp_path):
        output = ""

        def twice() -> bool:
            nonlocal output
            output += capsys.readouterr().out
            return output.count("fail failed: RuntimeError") >= 2

        eventually(twice)
