"""The process from which the parts of the offline cloud fork."""

from pathlib import Path

import psutil
import pytest

from localstack.children import Child
from localstack.fork_server import ForkServer
from localstack.stack_settings import CannotStart
from tests.support.eventually import eventually

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


def test_ended_nursery_is_named() -> None:
    before = psutil.Process().children()
    fork_server = ForkServer()
    (process,) = set(psutil.Process().children()) - set(before)
    process.kill()
    eventually(lambda: process.status() == "zombie")
    with pytest.raises(CannotStart, match="has ended"):
        fork_server.fork("localstack.scheduler", Path(), {})
