"""A Lambda execution environment whose caller fails while it waits for a response."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.serverless_file import Function
from localstack.execution import ExecutionEnvironment

HANDLER = """
import time

def echo(event, context):
    time.sleep(event["seconds"])
    return event
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExecutionEnvironment]:
    (tmp_path / "slow_echo.py").write_text(HANDLER)
    monkeypatch.syspath_prepend(str(tmp_path))
    environment = ExecutionEnvironment(Function("echo", "slow_echo.echo", timeout=30, memory=128))
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
