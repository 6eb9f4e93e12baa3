"""The processes of functions that a test invokes without the offline cloud."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from localstack.execution import FunctionProcesses


@contextmanager
def function_processes(folder: Path) -> Iterator[FunctionProcesses]:
    """Yield processes that import the functions of a folder. Kill their environments in the block."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.syspath_prepend(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] in ("functions", "worker")]:
            patch.delitem(sys.modules, name)
        # From Python 3.12 on, a fork warns if there are threads. Those of pytest-xdist hold no lock now.
        warnings.simplefilter("ignore", DeprecationWarning)
        processes = FunctionProcesses()
    with closing(processes):
        yield processes
