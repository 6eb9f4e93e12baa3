"""The whole offline cloud as one context manager, for `make up` and the tests.

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
from localstack.cloud import (
    BUCKET,
    EDGE_HOST,
    QUEUES,
    localstack_environment,
    ministack_environment,
    queue_url,
)
from localstack.data_folder import DataFolder
from localstack.log import LogFile
from localstack.stack_settings import CannotStart, Settings

if TYPE_CHECKING:
    from localstack.postgres import Postgres

TextHandler = Callable[[str], None]

EMULATOR, MIGRATION, GATEWAY, BATCH, SCHEDULE = "s3+sqs", "migrate", "gateway", "batch", "schedule"


QUEUE_VARIABLES = {
    "QUEUE_URL": "WorkQueue",
    "DISPATCH_QUEUE_URL": "DispatchQueue",
    "SEND_QUEUE_URL": "SendQueue",
    "REPORT_QUEUE_URL": "ReportQueue",
}
"""The functions' variables for the URLs of the queues, with the queues' names in the template."""


def _ignore(text: str) -> None:
    pass


class Stack:
    """Runs Postgres, S3, SQS, the gateway, the event source and the scheduler while the context is open.

    After entry it has the `url` of the gateway, and `environment`, the functions' variables
    (`AWS_PGSQL_PATH`, `AWS_ENDPOINT_URL`, `BUCKET`, `QUEUE_URL`, `JWT_SECRET_KEY` …), with which a test can
    run the service's code in its own process. Entry raises CannotStart. Exit stops all processes and keeps
    the data.

    Args:
        on_start: receives the name of each part before it starts.
        on_line: receives every line of the log.
    """

    def __init__(
        self, settings: Settings, on_start: TextHandler = _ignore, on_line: TextHandler = _ignore
    ) -> None:
        self.settings = settings
        self.environment: dict[str, str] = {}
        self._on_start, self._on_line = on_start, on_line
        self._folder = DataFolder(settings.data_dir)
        self._exits = ExitStack()
        self._children: dict[str, Child] = {}
        self._postgres: Postgres | None = None
        self._ended = threading.Event()
        self._ended_part = ""
        self._stopping = False

    @property
    def url(self) -> str:
        """The gateway's URL.

        It contains the name `localhost` instead of the address. Cookies are SameSite=Lax here, and the
        default front end at http://localhost:3000 sends them only to the same site.
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
        """Wait until a part ends unexpectedly and return its name, or return "" after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._ended.wait(max(0, min(1, deadline - time.monotonic()))):
            if self._postgres and not self._postgres.running:
                return "postgres"
            if time.monotonic() >= deadline:
                return ""
        return self._ended_part

    def kill(self, part: str) -> None:
        """Send SIGKILL to `gateway`, `batch` or `s3+sqs`. For tests."""
        os.kill(self.pid(part), signal.SIGKILL)

    def pid(self, part: str) -> int:
        """Return the process id of `gateway`, `batch`, `schedule` or `s3+sqs`. For tests."""
        return self._children[part].pid

    @contextmanager
    def database_stopped(self) -> Iterator[None]:
        """Stop Postgres for the block, and start it again after it. For tests."""
        if self._postgres is None:
            raise RuntimeError("AWS_PGSQL_PATH is set, and the stack only stops its embedded Postgres.")
        self._postgres.stop()
        try:
            yield
        finally:
            self._postgres.start()

    def _start(self) -> None:
        self._exits.enter_context(self._folder.locked())
        self._choose_ports()
        self._log = LogFile(self._folder.log, self._on_line)
        self._exits.callback(self._log.close)
        self.environment = self._constants()
        # The fork server starts the emulator, and imports the libraries of the others while Postgres starts.
        if not self.settings.endpoint_url:
            self._start_emulator()
        if not self.settings.database_url:
            self._start_postgres()
        self._start_service()
        self._folder.publish({**self.environment, "RESTCALCULATOR_URL": self.url})

    def _choose_ports(self) -> None:
        port = ports.available(self.settings.port, self.settings.host, "PORT")
        self.settings = replace(self.settings, port=port)
        if not self.settings.endpoint_url:
            edge_port = ports.available(self.settings.edge_port, EDGE_HOST, "LOCALSTACK_PORT")
            self.settings = replace(self.settings, edge_port=edge_port)

    def _constants(self) -> dict[str, str]:
        """Return the functions' variables that are known before any part starts."""
        variables = self.settings.variables
        defaults = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": variables.get("AWS_DEFAULT_REGION") or "us-east-1",
            "AWS_DEFAULT_REGION": variables.get("AWS_REGION") or "us-east-1",
            "CONFIG_TYPE": "local",
            "FRONTEND_URL": "http://localhost:3000",
        }
        endpoint = self.settings.endpoint_url or f"http://{EDGE_HOST}:{self.settings.edge_port}"
        environment = {name: variables.get(name) or default for name, default in defaults.items()}
        return {
            **environment,
            "JWT_SECRET_KEY": variables.get("JWT_SECRET_KEY") or self._folder.jwt_secret_key(),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_PGSQL_PATH": self.settings.database_url,
            "BUCKET": BUCKET,
            **{
                variable: queue_url(endpoint, environment["AWS_ACCESS_KEY_ID"], QUEUES[name])
                for variable, name in QUEUE_VARIABLES.items()
            },
            "WEBHOOK_LOOPBACK": "true",
            "POWERTOOLS_SERVICE_NAME": "restcalculator",
            "POWERTOOLS_METRICS_NAMESPACE": "restcalculator",
            "POWERTOOLS_TRACE_DISABLED": "1",
        }

    def _start_emulator(self) -> None:
        self._on_start("S3 and SQS")
        python, port = self.settings.localstack_python, self.settings.edge_port
        extra = (
            localstack_environment(python, port, self._folder.localstack)
            if python
            else ministack_environment(port, self._folder.emulator)
        )
        self._child(EMULATOR, "localstack.emulator", extra=extra, quiet=True, with_libraries=False)

    def _start_postgres(self) -> None:
        self._on_start("Postgres")
        # Imported here, because the import takes half a second.
        from localstack.postgres import Postgres

        self._postgres = Postgres(self._folder.postgres)
        self._exits.callback(self._postgres.stop)
        self._postgres.start()
        self.environment["AWS_PGSQL_PATH"] = self._postgres.url

    def _start_service(self) -> None:
        """Start the service's processes in parallel."""
        self._on_start("the gateway, the batch worker and the scheduler; migrating the database")
        migration = self._child(MIGRATION, "localstack.migration", watched=False)
        batch = self._child(BATCH, "localstack.event_source")
        gateway = self._child(GATEWAY, "localstack.server")
        schedule = self._child(SCHEDULE, "localstack.scheduler")
        for child in (batch, gateway, schedule):
            # Runs before any `stop`, so that the children end in parallel.
            self._exits.callback(child.terminate)
        # Longer than the children's own timeout, so that the error of a child is shown.
        timeout = self.settings.start_timeout + 10
        if not batch.wait_until_ready(timeout):
            raise self._failure(f"S3 and SQS at {self.environment['AWS_ENDPOINT_URL']} can't be used", batch)
        if not gateway.wait_until_ready(timeout):
            raise self._failure("The gateway can't start", gateway)
        if not schedule.wait_until_ready(timeout):
            raise self._failure("The scheduler can't start", schedule)
        if not migration.wait_until_ready():
            raise self._failure("The database can't be migrated", migration)

    def _child(
        self,
        name: str,
        module: str,
        *,
        extra: dict[str, str] | None = None,
        quiet: bool = False,
        watched: bool = True,
        with_libraries: bool = True,
    ) -> Child:
        variables = {**os.environ, **self.settings.variables, **self.settings.as_environment()}
        child = Child(
            name,
            module,
            self.settings.service_file.parent,
            {**variables, **self.environment, **(extra or {})},
            on_line=lambda line: self._log.write(name, line, quiet=quiet),
            on_exit=self._note_end if watched else lambda child: None,
            with_libraries=with_libraries,
        )
        self._children[name] = child
        self._exits.callback(child.stop)
        return child

    def _note_end(self, child: Child) -> None:
        if not self._stopping:
            self._ended_part = child.name
            self._ended.set()

    def _failure(self, message: str, child: Child) -> CannotStart:
        return CannotStart("\n".join([f"{message}:", *child.last_lines]))
