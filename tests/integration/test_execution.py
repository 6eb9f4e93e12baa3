"""A Lambda execution environment whose caller fails while it waits for a response."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.serverless_file import Function
from localstack.execution import ExecutionEnvironment, InvocationFailed
from tests.support.function_processes import function_processes

HANDLER = """
import os
import time

def echo(event, context):
    if event.get("exits"):
        os._exit(1)
    time.sleep(event["seconds"])
    return event
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[ExecutionEnvironment]:
    (tmp_path / "slow_echo.py").write_text(HANDLER)
    echo = Function("echo", "slow_echo.echo", timeout=30, memory=128)
    with function_processes(tmp_path) as processes:
        environment = ExecutionEnvironment(echo, processes)
        yield environment
        environment.kill()


def test_invocation_never_returns_the_response_of_an_abandoned_one(
    environment: ExecutionEnvironment,
) -> None:
    def fail() -> None:
        raise RuntimeError("no queue")

    with pytest.raises(RuntimeError, match="no queue"):
        environment.invoke({"seconds": 1, "number": 1}, (0.01, fail))
    second = {"seconds": 0, "number": 2}
    assert environment.invoke(second, (10, lambda: None)) == second


def test_process_that_died_is_replaced(environment: ExecutionEnvironment) -> None:
    idle = (10.0, lambda: None)
    with pytest.raises(InvocationFailed, match="process died"):
        environment.invoke({"exits": True}, idle)
    assert environment.invoke({"seconds": 0}, idle) == {"seconds": 0}
    os.kill(environment._pid, signal.SIGKILL)
    assert environment._connection is not None
    assert environment._connection.poll(10)  # it has ended
    assert environment.invoke({"seconds": 0}, idle) == {"seconds": 0}
