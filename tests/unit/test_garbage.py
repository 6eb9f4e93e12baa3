"""The garbage collector rests while a function is imported, and works when it is called."""

import subprocess
import sys

import pytest

from deploy.environment import ROOT

COUNTED = """
import gc
import functions  # from here on
looked_through = []
gc.callbacks.append(lambda phase, info: phase == "start" and looked_through.append(gc.get_freeze_count()))
import {module}
print(looked_through.count(0), gc.isenabled(), gc.get_freeze_count() > 10_000)
"""


@pytest.mark.parametrize("module", ["functions.calculator.process_operation", "functions.records.list"])
def test_what_an_endpoint_imports_is_never_looked_through(module: str) -> None:
    command = [sys.executable, "-S", "-c", COUNTED.format(module=module)]
    path = {"PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["0", "True", "True"]


def test_scheduled_functions_collect_their_garbage_too() -> None:
    code = "import gc, functions.housekeeping.expire; assert gc.isenabled()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
