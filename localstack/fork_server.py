"""The process from which the parts of the offline cloud fork: `python -m localstack.fork_server DESCRIPTOR`.

It imports the shared libraries once, so a part starts in milliseconds instead of half a second. A part that
needs none of them starts at once, before their import. Unlike the forkserver of multiprocessing, it does not
import its parent's main module into each part.

Each part has its own environment, so the fork server imports only modules that do not read the environment at
import. The functions' loggers do, so it imports no function.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from deploy.environment import ROOT
from localstack.forking import ask_for_fork, fork_for_requests
from localstack.stack_settings import CannotStart

SHARED_LIBRARIES = (
    *("alembic.command", "alembic.config", "pg8000.dbapi", "sqlalchemy.dialects.postgresql.pg8000"),
    *("aws_lambda_powertools.event_handler.openapi.params", "aws_lambda_powertools.metrics"),
    *("gunicorn.arbiter", "python_multipart"),
    *("localstack.event_source", "localstack.scheduler", "localstack.server"),
)


WITHOUT_LIBRARIES, WITH_LIBRARIES = b"0", b"1"
"""The requests to fork: at once, or after the import of the libraries."""


class ForkServer:
    """Starts the fork server's process, which ends with this one, and sends it requests to fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, served = socket.socketpair()
        with served:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "localstack.fork_server", str(served.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[served.fileno()],
                start_new_session=True,
            )
        atexit.register(self._end)

    def fork(
        self, module: str, folder: Path, environment: Mapping[str, str], *, with_libraries: bool = True
    ) -> tuple[int, int, int]:
        """Run `main` of a module in a new process and session.

        Args:
            with_libraries: whether to wait until the libraries are imported.

        Returns:
            The process id, and descriptors of pipes to its standard input and from its output and errors.

        Raises:
            CannotStart.
        """
        input, lifeline = os.pipe()
        output, written = os.pipe()
        with self._lock:
            when = WITH_LIBRARIES if with_libraries else WITHOUT_LIBRARIES
            pid = ask_for_fork(self._requests, when, [input, written])
        os.close(input)
        os.close(written)
        if not pid:
            os.close(lifeline)
            os.close(output)
            raise CannotStart("The process that starts the parts of the offline cloud has ended.")
        what = {"module": module, "folder": str(folder), "environment": dict(environment)}
        with open(lifeline, "w", encoding="utf-8", closefd=False) as request:
            request.write(json.dumps(what) + "\n")
        return pid, lifeline, output

    def _end(self) -> None:
        self._requests.close()
        self._process.wait()


@cache
def fork_server() -> ForkServer:
    """Return the fork server of this process."""
    return ForkServer()


def main(descriptor: str) -> None:
    """Fork for each request until the parent closes the socket."""

    def before(request: bytes) -> None:
        if request == WITH_LIBRARIES:
            import_libraries()

    if pipes := fork_for_requests(socket.socket(fileno=int(descriptor)), before, import_libraries):
        run(*pipes)


@cache
def import_libraries() -> None:
    """Import the libraries, the shared code, and botocore's descriptions of S3 and SQS."""
    import boto3

    import shared
    from shared.interpreter import begin_imports, end_imports

    begin_imports()
    for name in SHARED_LIBRARIES:
        import_module(name)
    for module in walk_packages(shared.__path__, "shared."):
        if not module.name.startswith("shared.http"):
            import_module(module.name)
    for service in ("s3", "sqs"):
        boto3.client(service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none").close()  # noqa: S106
    end_imports()


def run(input: int, output: int) -> None:
    """Run the requested module in a forked process."""
    os.setsid()
    os.dup2(input, 0)
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(input)
    os.close(output)
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  (for the process's life)
    what = json.loads(sys.stdin.readline())
    os.environ.clear()
    os.environ.update(what["environment"])
    os.chdir(what["folder"])
    sys.path.insert(0, what["folder"])  # where a test's functions are
    sys.argv = [what["module"]]
    import_module(what["module"]).main()


if __name__ == "__main__":
    main(*sys.argv[1:])
