"""Lambda's runtime: imports a function's handler, calls it within its timeout, and validates its result.

`python -m localstack.runtime NAME [EVENT]` invokes a function of serverless.yml once, like
`aws lambda invoke`, and prints its result.
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
from localstack.stack_settings import Settings
from shared.errors import DomainError
from shared.settings import SettingsError

Handler = Callable[[Mapping[str, Any], LambdaContext], object]


class FunctionTimedOut(BaseException):
    """The function exceeded its timeout. A BaseException, so that no `except Exception` catches it."""


class Runtime:
    """The functions of one process. Each is imported at its first use."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def handler(self, function: Function) -> Handler:
        """Import and return the handler. Raises: AttributeError if it is missing; import errors."""
        if function.name not in self._handlers:
            module, _, attribute = function.handler.rpartition(".")
            self._handlers[function.name] = getattr(import_module(module.replace("/", ".")), attribute)
        return self._handlers[function.name]

    def invoke(self, function: Function, event: Mapping[str, Any], request_id: str = "") -> Any:
        """Call the handler and return its result after a round trip through JSON, as on Lambda.

        Raises: FunctionTimedOut; TypeError or ValueError if JSON can't represent the result; exceptions of
        the handler.
        """
        context = LambdaContext(function, os.environ.get("AWS_REGION", "us-east-1"))
        if request_id:
            context.aws_request_id = request_id
        handler = self.handler(function)
        with time_limit(function.timeout):
            return json.loads(json.dumps(handler(event, context)))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise FunctionTimedOut in the block after `seconds`. Works only in the main thread."""
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
        sys.exit(f"{type(error).__name__}: {error}")  # without a traceback: the message names the cause


if __name__ == "__main__":
    main(*sys.argv[1:])
