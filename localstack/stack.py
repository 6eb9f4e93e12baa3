"""The whole offline cloud as one context manager. `make up` and the tests start the very same.

with Stack(Settings(port=0, edge_port=0, data_dir=folder)) as stack:
    httpx.get(f"{stack.url}/health")
    boto3.client("s3", endpoint_url=stack.environment["AWS_ENDPOINT_URL"])
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from localstack import ports
from localstack.children import Child
from localstack.cloud import BUCKET, EDGE_HOST, localstack_environment, ministack_environment, queue_url
from localstack.data_folder import DataFolder
from localstack.log import Journal
from localstack.settings import CannotStart, Settings

if TYPE_CHECKING:
    from localstack.postgres import Postgres

Teller = Callable[[str], None]

EMULATOR, MIGRATION, GATEWAY, BATCH, SCHEDULE = "s3+sqs", "migrate", "gateway", "batch", "schedule"


def _nobody(line: str) -> None:
    pass


class Stack:
    """Postgres, S3, SQS, the gateway, the event source and the scheduler, from entry to exit.

    After entry: `url` of the gateway, and `environment`, the variables that the functions are given
    (`AWS_PGSQL_PATH`, `AWS_ENDPOINT_URL`, `BUCKET`, `QUEUE_URL`, `JWT_SECRET_KEY` …), with which a
    test may run the service's code in its own process. `say` is told what is being started, `echo`
    every line of the log. Entry raises CannotStart; exit leaves no process and keeps the data.
    """

    def __init__(self, settings: Settings, say: Teller = _nobody, echo: Teller = _nobody) -> None:
        self.settings = settings
        self.environment: dict[str, str] = {}
        self._say, self._echo = say, echo
        self._folder = DataFolder(settings.data_dir)
        self._exits = ExitStack()
        self._children: dict[str, Child] = {}
        self._postgres: Postgres | None = None
        self._ended = threading.Event()
        self._casualty = ""
        self._stopping = False

    @property
    def url(self) -> str:
        """Where a browser finds the gateway.

        By the name `localhost`, not its address: cookies are SameSite=Lax here, and the default front end
        at http://localhost:3000 sends them only to the same site.
        """
        host = "localhost" if self.settings.host in ("127.0.0.1", "0.0.0.0") else self.settings.host
        return f"http://{host}:{self.settings.port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping = True
        self._exits.close()

    def wait(self, timeout: float = float("inf")) -> str:
        """Waits until a part ends unexpectedly and names it; "" after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._ended.wait(max(0, min(1, deadline - time.monotonic()))):
            if self._postgres and not self._postgres.running:
                return "postgres"
            if time.monotonic() >= deadline:
                return ""
        return self._casualty

    def kill(self, part: str) -> None:
        """For tests of what follows: ends `gateway`, `batch` or `s3+sqs` with SIGKILL."""
        os.kill(self.pid(part), signal.SIGKILL)

    def pid(self, part: str) -> int:
        """For tests that watch or break: the process of `gateway`, `batch`, `schedule` or `s3+sqs`."""
        return self._children[part].pid

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """For tests of what follows: no Postgres in the block, and the same one again after it."""
        if self._postgres is None:
            raise RuntimeError("AWS_PGSQL_PATH names a database that is not ours to stop.")
        self._postgres.stop()
        try:
            yield
        finally:
            self._postgres.start()

    def _start(self) -> None:
        self._exits.enter_context(self._folder.locked())
        self._choose_ports()
        self._journal = Journal(self._folder.log, self._echo)
        self._exits.callback(self._journal.close)
        self.environment = self._constants()
        if not self.settings.endpoint_url:
            self._start_emulator()
        if not self.settings.database_url:
            self._start_postgres()
        self._start_service()
        self._folder.publish(self.environment)

    def _choose_ports(self) -> None:
        port = ports.available(self.settings.port, self.settings.host, "PORT")
        self.settings = replace(self.settings, port=port)
        if not self.settings.endpoint_url:
            edge_port = ports.available(self.settings.edge_port, EDGE_HOST, "LOCALSTACK_PORT")
            self.settings = replace(self.settings, edge_port=edge_port)

    def _constants(self) -> dict[str, str]:
        """What the functions are told that does not wait for anything to start."""
        given = self.settings.variables
        defaults = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": given.get("AWS_DEFAULT_REGION") or "us-east-1",
            "AWS_DEFAULT_REGION": given.get("AWS_REGION") or "us-east-1",
            "CONFIG_TYPE": "local",
            "FRONTEND_URL": "http://localhost:3000",
        }
        endpoint = self.settings.endpoint_url or f"http://{EDGE_HOST}:{self.settings.edge_port}"
        told = {name: given.get(name) or default for name, default in defaults.items()}
        return {
            **told,
            "JWT_SECRET_KEY": given.get("JWT_SECRET_KEY") or self._folder.jwt_secret_key(),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_PGSQL_PATH": self.settings.database_url,
            "BUCKET": BUCKET,
            "QUEUE_URL": queue_url(endpoint, told["AWS_ACCESS_KEY_ID"]),
            "POWERTOOLS_SERVICE_NAME": "restcalculator",
            "POWERTOOLS_METRICS_NAMESPACE": "restcalculator",
            "POWERTOOLS_TRACE_DISABLED": "1",
        }

    def _start_emulator(self) -> None:
        self._say("S3 and SQS")
        python, port = self.settings.localstack_python, self.settings.edge_port
        extra = (
            localstack_environment(python, port, self._folder.localstack)
            if python
            else ministack_environment(port, self._folder.emulator)
        )
        self._child(EMULATOR, "localstack.emulator", extra=extra, quiet=True)

    def _start_postgres(self) -> None:
        self._say("Postgres")
        # Half a second of imports, in which the emulator starts already.
        from localstack.postgres import Postgres

        self._postgres = Postgres(self._folder.postgres)
        self._exits.callback(self._postgres.stop)
        self._postgres.start()
        self.environment["AWS_PGSQL_PATH"] = self._postgres.url

    def _start_service(self) -> None:
        """All at once: what they wait for is mostly their own imports."""
        self._say("the database's tables and rows, bucket and queue, the gateway")
        migration = self._child(MIGRATION, "localstack.runtime", arguments=("migrate",), watched=False)
        batch = self._child(BATCH, "localstack.event_source")
        gateway = self._child(GATEWAY, "localstack.server")
        schedule = self._child(SCHEDULE, "localstack.scheduler")
        for child in (batch, gateway, schedule):
            # Called before any `stop`, so they end side by side.
            self._exits.callback(child.terminate)
        patience = self.settings.start_timeout + 10  # a child gives up first, and says why
        if not batch.wait_until_ready(patience):
            raise self._failure(f"S3 and SQS at {self.environment['AWS_ENDPOINT_URL']} can't be used", batch)
        if not gateway.wait_until_ready(patience):
            raise self._failure("The gateway can't start", gateway)
        if not schedule.wait_until_ready(patience):
            raise self._failure("The scheduler can't start", schedule)
        if migration.wait() != 0:
            raise self._failure("The database can't be migrated", migration)

    def _child(
        self,
        name: str,
        module: str,
        arguments: tuple[str, ...] = (),
        *,
        extra: dict[str, str] | None = None,
        quiet: bool = False,
        watched: bool = True,
    ) -> Child:
        told = {**os.environ, **self.settings.variables, **self.settings.as_environment()}
        child = Child(
            name,
            module,
            self.settings.service_file.parent,
            {**told, **self.environment, **(extra or {})},
            on_line=lambda line: self._journal.write(name, line, quiet=quiet),
            on_exit=self._note_end if watched else lambda child: None,
            arguments=arguments,
        )
        self._children[name] = child
        self._exits.callback(child.stop)
        return child

    def _note_end(self, child: Child) -> None:
        if not self._stopping:
            self._casualty = child.name
            self._ended.set()

    def _failure(self, message: str, child: Child) -> CannotStart:
        return CannotStart("\n".join([f"{message}:", *child.last_lines]))
