"""Importing a function runs without garbage collection; calling it enables collection again."""

import subprocess
import sys

import pytest

from deploy.environment import ROOT

PROGRAM = """
import gc
import functions  # turns collection off
frozen_counts = []
gc.callbacks.append(lambda phase, info: phase == "start" and frozen_counts.append(gc.get_freeze_count()))
import {module}
print(frozen_counts.count(0), gc.isenabled(), gc.get_freeze_count() > 10_000)
"""


@pytest.mark.parametrize("module", ["functions.calculator.process_operation", "functions.records.list"])
def test_importing_an_endpoint_runs_no_garbage_collection(module: str) -> None:
    command = [sys.executable, "-S", "-c", PROGRAM.format(module=module)]
    path = {"PYTHONPATH": ":".join(sys.path)}
    output = subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["0", "True", "True"]


def test_scheduled_functions_enable_garbage_collection() -> None:
    code = "import gc, functions.housekeeping.expire; assert gc.isenabled()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
