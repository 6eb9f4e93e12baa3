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
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any
from uuid import uuid4

from deploy.serverless_file import Function, Service
from localstack.context import LambdaContext
from localstack.stack_settings import Settings
from shared.errors import DomainError, SettingsError

Handler = Callable[[Mapping[str, Any], LambdaContext], object]


class FunctionTimedOut(BaseException):
    """The function exceeded its timeout. A BaseException, so that no `except Exception` catches it."""


class Runtime:
    """The functions of one process. Each is imported at its first use."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._region = os.environ.get("AWS_REGION", "us-east-1")

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
        context = LambdaContext(function, self._region, request_id or str(uuid4()))
        handler = self.handler(function)
        with time_limit(function.timeout):
            result = handler(event, context)
            return result if _is_json(result) else json.loads(json.dumps(result))


def _is_json(result: object) -> bool:
    """Return whether the result consists of the usual types of a response, which JSON does not change."""
    if type(result) is not dict:
        return False
    for name, value in result.items():
        if type(name) is not str:
            return False
        if type(value) is dict:
            if not {str}.issuperset(map(type, (*value, *value.values()))):
                return False
        elif type(value) is list:
            if not {str}.issuperset(map(type, value)):
                return False
        elif type(value) not in (str, int, bool):
            return False
    return True


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise FunctionTimedOut in the block after `seconds`. Works only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    _handle_alarms()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except FunctionTimedOut as error:
        error.args = (f"Task timed out after {seconds:.2f} seconds",)
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@cache
def _handle_alarms() -> None:
    """Interrupt the main thread at each alarm. Once for the process, because each change takes a while."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise FunctionTimedOut

    signal.signal(signal.SIGALRM, interrupt)


def main(name: str, event: str = "{}") -> None:
    service = Service.load(Settings.from_environment(os.environ).service_file, os.environ)
    try:
        print(json.dumps(Runtime().invoke(service.functions[name], json.loads(event))))
    except (SettingsError, DomainError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")  # without a traceback: the message names the cause


if __name__ == "__main__":
    main(*sys.argv[1:])
