"""The expensive libraries that each function imports, and how: `{handler: {library: chain of modules}}`.

`python -m tests.support.import_chains handler …` prints it as JSON. It imports the modules that all functions
share once, and then each handler in its own fork.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

APPSYNC = "aws_lambda_powertools.event_handler.appsync"
OPENAPI = "aws_lambda_powertools.event_handler.openapi.models"
EXPENSIVE = (
    "boto3",
    "botocore.client",
    "sqlalchemy",
    "alembic",
    "argon2",
    "python_multipart",
    APPSYNC,
    OPENAPI,
)
"""Libraries that slow down the cold start of a function that imports them (limits.md)."""
PROJECT_PACKAGES = ("functions", "shared", "worker", "migrations", "localstack", "docs")


class ImportRecorder:
    """A finder that finds no module but records the modules that import an expensive library."""

    def __init__(self) -> None:
        self.chains: dict[str, list[str]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in EXPENSIVE and name not in self.chains:
            self.chains[name] = [*importers(sys._getframe(1)), name]
        return None


def importers(frame: FrameType | None) -> list[str]:
    """Return the project's modules on the stack, outermost first."""
    names = list[str]()
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in PROJECT_PACKAGES and (not names or names[-1] != name):
            names.append(name)
        frame = frame.f_back
    return names[::-1]


def chains_of(module: str, recorder: ImportRecorder) -> dict[str, list[str]]:
    """Import `module` in a fork. Return the chains that the fork recorded."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(module)
            chains = {name: chain for name, chain in recorder.chains.items() if name in sys.modules}
        except BaseException as error:
            chains = {"failed": [repr(error)]}
        os.write(writing, json.dumps(chains).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, list[str]] = json.loads(text)
    return found


def main(modules: list[str]) -> None:
    recorder = ImportRecorder()
    sys.meta_path.insert(0, recorder)
    importlib.import_module("functions")
    importlib.import_module("shared.http.api")
    print(json.dumps({module: chains_of(module, recorder) for module in modules}))


if __name__ == "__main__":
    main(sys.argv[1:])
