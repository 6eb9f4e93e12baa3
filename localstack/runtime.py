"""Lambda's runtime: finds a function's handler, calls it within its time, checks what it returns.

`python -m localstack.runtime NAME [EVENT]` invokes a function of serverless.yml once, as
`aws lambda invoke` does, and prints its answer.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

from deploy.serverless_file import Function, Service
from localstack.context import LambdaContext
from localstack.settings import Settings
from shared.errors import DomainError
from shared.settings import SettingsError

Handler = Callable[[Mapping[str, Any], LambdaContext], object]


class FunctionTimedOut(BaseException):
    """The function took longer than its timeout. No function's `except Exception` may swallow it."""


class Runtime:
    """The functions of one process, each imported when it is first needed."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def handler(self, function: Function) -> Handler:
        """Raises: whatever the import of its module raises; AttributeError when it has no such handler."""
        if function.name not in self._handlers:
            module, _, attribute = function.handler.rpartition(".")
            self._handlers[function.name] = getattr(import_module(module.replace("/", ".")), attribute)
        return self._handlers[function.name]

    def invoke(self, function: Function, event: Mapping[str, Any], request_id: str = "") -> Any:
        """What the handler returns, as the JSON that leaves Lambda is read again.

        Raises: FunctionTimedOut; TypeError or ValueError when the answer is no JSON; and whatever
        the handler raises.
        """
        context = LambdaContext(function, os.environ.get("AWS_REGION", "us-east-1"))
        if request_id:
            context.aws_request_id = request_id
        handler = self.handler(function)
        with time_limit(function.timeout):
            return json.loads(json.dumps(handler(event, context)))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises FunctionTimedOut in the block when it is over. Only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise FunctionTimedOut(f"Task timed out after {seconds:.2f} seconds")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(name: str, event: str = "{}") -> None:
    service = Service.load(Settings.from_environment(os.environ).service_file, os.environ)
    try:
        print(json.dumps(Runtime().invoke(service.functions[name], json.loads(event))))
    except (SettingsError, DomainError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")  # their messages say all that the user can mend


if __name__ == "__main__":
    main(*sys.argv[1:])
