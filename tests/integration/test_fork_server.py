"""The process from which the parts of the offline cloud fork."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.environment import ROOT
from localstack.children import Child
from localstack.fork_server import ForkServer
from localstack.stack import EMULATOR, Stack
from localstack.stack_settings import CannotStart
from tests.support.eventually import eventually
from tests.support.offline_service import settings_of

PROGRAM = """
import os, sys
from part_of_the_program import NAME

def main():
    print(NAME, os.getcwd(), *os.environ)
    sys.exit("the end")
"""


def test_child_has_its_own_modules_folder_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_PARENT", "1")
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "part_of_the_program.py").write_text("NAME = 'hello'")
    child = Child("program", "program", tmp_path, {"ITS_OWN": "1"}, on_line=lambda line: None)
    assert not child.wait_until_ready()
    child.stop()
    assert list(child.last_lines) == [f"hello {tmp_path} ITS_OWN", "the end"]


MODULES = """
import sys

def main():
    print("boto3" in sys.modules, "sqlalchemy" in sys.modules)
"""


def test_part_without_libraries_starts_before_their_import(tmp_path: Path) -> None:
    """The emulator needs none of them, and the first start takes less time if it starts meanwhile."""
    (tmp_path / "modules.py").write_text(MODULES)
    fork_server = ForkServer()
    printed = []
    for with_libraries in (False, True):
        _, lifeline, output = fork_server.fork("modules", tmp_path, {}, with_libraries=with_libraries)
        with open(output, encoding="ascii") as lines:
            printed.append(lines.read())
        os.close(lifeline)
    assert printed == ["False False\n", "True True\n"]


def test_command_that_starts_the_stack_imports_no_library_of_the_service() -> None:
    """These imports would delay the start of all parts."""
    program = "import sys, deploy.build_console, localstack.run, localstack.stack; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"boto3", "pg8000", "psutil", "pydantic", "sqlalchemy", "yaml"} & set(done.stdout.split())


def test_emulator_starts_before_postgres_and_without_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, bool]] = []
    start = Child.__init__

    def note(child: Child, *arguments: Any, with_libraries: bool = True, **named: Any) -> None:
        start(child, *arguments, with_libraries=with_libraries, **named)
        started.append((child.name, with_libraries))

    monkeypatch.setattr(Child, "__init__", note)
    with Stack(settings_of(tmp_path, database=True), on_start=lambda part: started.append((part, False))):
        pass
    assert started[:3] == [("S3 and SQS", False), (EMULATOR, False), ("Postgres", False)]


def test_ended_fork_server_is_named() -> None:
    before = psutil.Process().children()
    fork_server = ForkServer()
    (process,) = set(psutil.Process().children()) - set(before)
    process.kill()
    eventually(lambda: process.status() == "zombie")
    with pytest.raises(CannotStart, match="has ended"):
        fork_server.fork("localstack.scheduler", Path(), {})
