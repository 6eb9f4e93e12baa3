"""Which dear libraries each function's import brings, and through whom: `{handler: {library: chain}}`.

`python -m tests.support.import_chains handler …` prints it as JSON. What all functions share is
imported once; then each handler is imported in a fork of its own.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

OPENAPI = "aws_lambda_powertools.event_handler.openapi.models"
DEAR = ("boto3", "botocore.client", "sqlalchemy", "alembic", "argon2", "python_multipart", OPENAPI)
"""Libraries that a function pays for at each cold start (limits.md)."""
OURS = ("functions", "shared", "worker", "migrations", "localstack", "docs")


class Watcher:
    """A finder that finds nothing, but notes who asked for what."""

    def __init__(self) -> None:
        self.chains: dict[str, list[str]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in DEAR and name not in self.chains:
            self.chains[name] = [*importers(sys._getframe(1)), name]
        return None


def importers(frame: FrameType | None) -> list[str]:
    """The modules of ours on the stack, outermost first."""
    names = list[str]()
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in OURS and (not names or names[-1] != name):
            names.append(name)
        frame = frame.f_back
    return names[::-1]


def imported_by(module: str, watcher: Watcher) -> dict[str, list[str]]:
    """What a fork that imports `module` saw."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(module)
            said = {name: chain for name, chain in watcher.chains.items() if name in sys.modules}
        except BaseException as error:
            said = {"failed": [repr(error)]}
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, list[str]] = json.loads(text)
    return found


def main(modules: list[str]) -> None:
    watcher = Watcher()
    sys.meta_path.insert(0, watcher)
    importlib.import_module("shared.http.api")
    print(json.dumps({module: imported_by(module, watcher) for module in modules}))


if __name__ == "__main__":
    main(sys.argv[1:])
