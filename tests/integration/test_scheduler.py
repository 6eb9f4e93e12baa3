"""EventBridge's part of the offline cloud, with a small service's own functions."""

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
from tests.support.offline_service import write_service

OFTEN = timedelta(seconds=0.3)


@contextmanager
def running(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A function of the small service, invoked often."""
    function = Service.load(write_service(folder), {}).functions[name]
    monkeypatch.syspath_prepend(str(folder))
    stopping = threading.Event()
    timer = Timer(function, Schedule(OFTEN, datetime.now(UTC)), stopping)
    thread = threading.Thread(target=timer.run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def seen(folder: Path) -> list[Path]:
    return sorted((folder / "seen").glob("scheduled.*"))


def test_a_function_is_invoked_each_time_by_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("tick", tmp_path, monkeypatch):
        eventually(lambda: len(seen(tmp_path)) >= 2)
    first, second = (json.loads(file.read_text()) for file in seen(tmp_path)[:2])
    assert first["pid"] != second["pid"]
    for told in (first, second):
        assert (told["event"]["source"], told["event"]["detail-type"]) == ("aws.events", "Scheduled Event")
        due = datetime.fromisoformat(told["event"]["time"])
        assert timedelta(0) <= datetime.now(UTC) - due < timedelta(minutes=1)


def test_a_function_that_fails_is_invoked_again_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("fail", tmp_path, monkeypatch):
        said = ""

        def twice() -> bool:
            nonlocal said
            said += capsys.readouterr().out
            return said.count("fail failed: RuntimeError") >= 2

        eventually(twice)
