"""`make deploy` of the complete stack by the Serverless CLI to MiniStack, with requests over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from deploy.environment import ROOT
from shared.billing.audit import PASSED
from tests.deploy.conftest import bare_environment
from tests.support.data_folder import data_folder
from tests.support.emulated_deploy import (
    ADMIN_PASSWORD,
    CLIENT_PASSWORD,
    STACK,
    Deployment,
    copy_of_the_project,
    ministack,
    postgres_over_tcp,
)
from tests.support.eventually import eventually
from tests.support.pages.output import difference
from tests.support.pages.page import Commands, steps
from tests.support.pages.runner import Reader

SECRETS = {
    "JWT_SECRET_KEY": "0123456789abcdef" * 2,
    "CLIENT_PASSWORD": CLIENT_PASSWORD,
    "ADMIN_PASSWORD": ADMIN_PASSWORD,
}
AWS_URL = "https://….execute-api.us-east-1.amazonaws.com"
"""The deployed service's URL in the tutorial."""
HEAD = sorted(path.name for path in ROOT.glob("migrations/versions/0*.py"))[-1][:4]
BROKEN_MIGRATION = f"""
from alembic import op

revision, down_revision = "9999", "{HEAD}"


def upgrade() -> None:
    op.execute("CREATE TABLE half_done ()")
    op.execute("SELECT * FROM no_such_table")
"""


# The tests run in this order. Each one uses the stack as the previous one left it.
def test_release_rejects_weak_secrets_before_deploying(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.release", JWT_SECRET_KEY="s" * 32, ADMIN_PASSWORD="adminpass")
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()[1:]] == [
        "  JWT_SECRET_KEY",
        "  ADMIN_PASSWORD",
    ]
    assert deployment.aws("cloudformation").list_stacks()["StackSummaries"] == []


def test_release_creates_the_stack_and_prints_its_url(deployment: Deployment) -> None:
    deployment.package()
    done = deployment.run("-m", "deploy.release")
    assert done.returncode == 0, done.stdout + done.stderr
    deployment.url = done.stdout.splitlines()[-1].partition("is deployed: ")[2]
    deployment.released = done.stdout
    assert "defaultadmin@admin.as" in done.stdout
    assert httpx.get(f"{deployment.url}/health", timeout=30, verify=False).json()["status"] == "ok"


def test_tutorial_of_the_first_deploy_works_and_shows_what_it_prints(deployment: Deployment) -> None:
    tutorial = steps("docs/tutorial/first-deploy.md")
    (deploy,) = (step for step in tutorial if isinstance(step, Commands) and step.text == "make deploy\n")
    assert difference(deploy.output or "", deployment.released.replace(deployment.url, AWS_URL)) == ""
    quoted = deployment.url.replace("$", "\\$")
    Reader(deployment.folder, deployment.environment, {AWS_URL: quoted}).follow(tutorial)


def test_database_is_private_encrypted_and_protected(deployment: Deployment) -> None:
    (database,) = deployment.aws("rds").describe_db_instances()["DBInstances"]
    assert database["StorageEncrypted"]
    assert database["DeletionProtection"]
    assert not database["PubliclyAccessible"]


def test_network_has_subnets_in_two_zones(deployment: Deployment) -> None:
    subnets = deployment.aws("ec2").describe_subnets()["Subnets"]
    zones = {
        one["AvailabilityZone"] for one in subnets if one["CidrBlock"] in ("10.0.0.0/20", "10.0.16.0/20")
    }
    assert len(zones) == 2


def test_database_logs_have_a_retention_limit(deployment: Deployment) -> None:
    groups = deployment.aws("logs").describe_log_groups(logGroupNamePrefix="/aws/rds/instance/")
    assert {group["retentionInDays"] for group in groups["logGroups"]} == {30}


def test_secrets_are_stored_in_secrets_manager_and_not_in_the_template(deployment: Deployment) -> None:
    secret = deployment.aws("secretsmanager").get_secret_value(SecretId="restcalculator/dev")
    assert json.loads(secret["SecretString"]) == SECRETS
    template = json.dumps(deployment.aws("cloudformation").get_template(StackName=STACK)["TemplateBody"])
    assert not [name for name, value in SECRETS.items() if value in template]


def test_only_functions_that_need_the_passwords_receive_them(deployment: Deployment) -> None:
    variables = deployment.variables_of("createAdmin")
    assert (variables["JWT_SECRET_KEY"], variables["ADMIN_PASSWORD"]) == (
        SECRETS["JWT_SECRET_KEY"],
        ADMIN_PASSWORD,
    )
    assert "CLIENT_PASSWORD" not in variables
    assert "ADMIN_PASSWORD" not in deployment.variables_of("login")


def test_admin_password_creates_an_admin(deployment: Deployment) -> None:
    account = {"email": "boss@example.com", "password": "Rstuvwxy1234!"}
    for password, status in ((CLIENT_PASSWORD, 401), (ADMIN_PASSWORD, 201)):
        body = {**account, "admin_password": password}
        assert (
            httpx.post(f"{deployment.url}/admin", json=body, timeout=30, verify=False).status_code == status
        )


def test_release_rejects_another_database_without_confirmation(deployment: Deployment) -> None:
    before = deployment.state()
    done = deployment.run("-m", "deploy.release", AWS_PGSQL_PATH="postgresql://me:it@db.example.com/other")
    assert done.returncode == 1
    assert f"make deploy CONFIRM={STACK}" in done.stderr
    assert deployment.state() == before


def test_client_signs_in_and_is_charged(client: httpx.Client) -> None:
    done = client.post(
        "/api/v1/process_operation", json={"type": "addition", "arguments": [0.1, 0.2]}
    ).raise_for_status()
    assert (done.json()["result"], done.json()["user_balance"]) == (0.3, 15)


def test_errors_of_the_deployed_api_are_problems(deployment: Deployment) -> None:
    nowhere = httpx.get(f"{deployment.url}/nowhere", timeout=30, verify=False)
    assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "application/problem+json")
    assert httpx.get(f"{deployment.url}/api/v1/users/me", timeout=30, verify=False).status_code == 401


def test_presigned_upload_reaches_the_deployed_worker_through_s3_and_sqs(client: httpx.Client) -> None:
    content = b'operation,arguments\naddition,"[1, 2]"\ndivision,"[1, 0]"\nmultiplication,"[6, 7]"\n'
    created = client.post(
        "/api/v1/tasks", json={"filename": "a.csv", "size": len(content)}
    ).raise_for_status()
    upload = created.json()["upload"] if "upload" in created.json() else created.json()
    httpx.post(upload["url"], data=upload["fields"], files={"file": content}, verify=False).raise_for_status()
    task = client.get(created.headers["Location"]).json()
    task = eventually(lambda: completed(client, task["id"]))
    assert (task["rows_done"], task["rows_failed"], task["spent"]) == (3, 1, 10)
    link = client.get(f"/api/v1/tasks/{task['id']}/results")
    assert link.status_code == 303
    results = httpx.get(link.headers["Location"], verify=False).raise_for_status().text.splitlines()
    assert len(results) == 4
    assert ",42,5," in results[3].replace(".0000", "")


def test_small_file_is_processed_through_the_api(client: httpx.Client) -> None:
    sent = client.post(
        "/api/v1/process_csv", files={"file": ("b.csv", b"operation,arguments\naddition,[1]\n")}
    )
    assert sent.status_code == 202, sent.text
    eventually(lambda: completed(client, sent.json()["task_id"]))


def test_how_to_answer_an_alarm_shows_the_log_of_the_worker(deployment: Deployment) -> None:
    Reader(deployment.folder, deployment.environment, {}).follow(steps("docs/how-to/answer-an-alarm.md"))


def test_audit_finds_a_wrong_balance_in_the_stacks_database(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.audit")
    assert (done.returncode, done.stdout) == (0, f"{PASSED}\n"), done
    with deployment.database() as database:
        database.run("UPDATE users SET balance = balance + 7 WHERE email = 'defaultclient@client.as'")
        done = deployment.run("-m", "deploy.audit")
        database.run("UPDATE users SET balance = balance - 7 WHERE email = 'defaultclient@client.as'")
    assert (done.returncode, "defaultclient@client.as" in done.stdout) == (1, True), done


def test_smoke_test_passes_and_charges_nothing(deployment: Deployment, client: httpx.Client) -> None:
    before = client.get("/api/v1/users/me").json()["balance"]
    done = deployment.run("-m", "deploy.smoke", URL=deployment.url, CLIENT_PASSWORD=CLIENT_PASSWORD)
    assert done.returncode == 0, done.stderr
    assert client.get("/api/v1/users/me").json()["balance"] == before


def test_second_release_without_changes_changes_nothing(deployment: Deployment) -> None:
    before = deployment.state()
    deployment.package()
    done = deployment.run("-m", "deploy.release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.state() == before


def test_failed_migration_keeps_the_old_version_serving(deployment: Deployment) -> None:
    broken = deployment.folder / "migrations" / "versions" / "9999_broken.py"
    broken.write_text(BROKEN_MIGRATION)
    before = deployment.state()
    deployment.package()
    try:
        done = deployment.run("-m", "deploy.release")
    finally:
        broken.unlink()
    assert done.returncode == 1
    assert "The old version keeps serving" in done.stderr
    assert "no_such_table" in done.stderr
    after = deployment.state()
    migrate = f"{STACK}-migrate"
    assert {**after["code"], migrate: ""} == {**before["code"], migrate: ""}
    assert after["tables"] == before["tables"]
    with deployment.signed_in() as client:
        client.get("/api/v1/users/me").raise_for_status()


def test_update_deploys_changed_code_and_keeps_all_data(deployment: Deployment) -> None:
    before, new_key = deployment.state(), SECRETS["JWT_SECRET_KEY"][::-1]
    health = deployment.folder / "functions" / "docs" / "health.py"
    health.write_text(health.read_text().replace('"database": "ok"', '"database": "new"'))
    deployment.package()
    with deployment.signed_in() as signed_in_before:
        keys = {"JWT_SECRET_KEY": new_key, "JWT_SECRET_KEY_OLD": SECRETS["JWT_SECRET_KEY"]}
        done = deployment.run("-m", "deploy.release", **keys)
        assert done.returncode == 0, done.stdout + done.stderr
        signed_in_before.get("/api/v1/users/me").raise_for_status()
    after = deployment.state()
    assert set(after["code"]) == set(before["code"])
    assert not set(after["code"].values()) & set(before["code"].values())
    assert after["tables"] == before["tables"]
    assert after["secret"] != before["secret"]
    assert deployment.variables_of("login")["JWT_SECRET_KEY"] == new_key
    assert httpx.get(f"{deployment.url}/health", timeout=30, verify=False).json()["database"] == "new"
    with deployment.signed_in() as client:
        assert client.get("/api/v1/users/me").json()["balance"] == 5


def test_remove_requires_the_stacks_name(deployment: Deployment) -> None:
    refused = deployment.run("-m", "deploy.remove")
    assert refused.returncode == 1
    assert f"CONFIRM={STACK}" in refused.stderr
    assert httpx.get(f"{deployment.url}/health", timeout=30, verify=False).status_code == 200


def test_remove_deletes_all_resources(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.remove", CONFIRM=STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.aws("lambda").list_functions()["Functions"] == []
    assert deployment.aws("s3").list_buckets()["Buckets"] == []
    assert deployment.aws("sqs").list_queues().get("QueueUrls", []) == []
    assert deployment.aws("secretsmanager").list_secrets()["SecretList"] == []
    assert httpx.get(f"{deployment.url}/health", timeout=30, verify=False).status_code == 404


def completed(client: httpx.Client, task: str) -> dict[str, Any] | None:
    task_body: dict[str, Any] = client.get(f"/api/v1/tasks/{task}").raise_for_status().json()
    assert task_body["status"] in ("awaiting_upload", "queued", "processing", "completed"), task_body
    return task_body if task_body["status"] == "completed" else None


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with (
        # Not in pytest's tmp_path, which is kept after the run.
        TemporaryDirectory(prefix="deploy-", ignore_cleanup_errors=True) as name,
        data_folder("empty") as data,
        postgres_over_tcp(data / "postgres") as database,
        ministack(folder := Path(name)) as endpoint,
    ):
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
                **SECRETS,
                "FRONTEND_URL": "https://app.example.com",
            },
        )
        yield deployed
        deployed.close()


@pytest.fixture
def client(deployment: Deployment) -> Iterator[httpx.Client]:
    with deployment.signed_in() as signed_in:
        yield signed_in
