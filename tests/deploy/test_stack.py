"""`make deploy` for real: the unreduced stack, by the Serverless CLI, on MiniStack, driven over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from deploy.environment import ROOT
from tests.deploy.conftest import bare_environment
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

SECRETS = {
    "JWT_SECRET_KEY": "0123456789abcdef" * 2,
    "CLIENT_PASSWORD": CLIENT_PASSWORD,
    "ADMIN_PASSWORD": ADMIN_PASSWORD,
}
HEAD = sorted(path.name for path in ROOT.glob("migrations/versions/0*.py"))[-1][:4]
BROKEN_MIGRATION = f"""
from alembic import op

revision, down_revision = "9999", "{HEAD}"


def upgrade() -> None:
    op.execute("CREATE TABLE half_done ()")
    op.execute("SELECT * FROM no_such_table")
"""


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
    assert httpx.get(f"{deployment.url}/health", timeout=30).json()["status"] == "ok"


def test_the_database_is_made_private_and_protected(deployment: Deployment) -> None:
    (database,) = deployment.aws("rds").describe_db_instances()["DBInstances"]
    assert database["StorageEncrypted"]
    assert database["DeletionProtection"]
    assert not database["PubliclyAccessible"]


def test_the_network_is_in_two_zones_and_keeps_them(deployment: Deployment) -> None:
    subnets = deployment.aws("ec2").describe_subnets()["Subnets"]
    zones = {
        one["AvailabilityZone"] for one in subnets if one["CidrBlock"] in ("10.0.0.0/20", "10.0.16.0/20")
    }
    assert len(zones) == 2


def test_the_logs_of_the_database_are_limited(deployment: Deployment) -> None:
    groups = deployment.aws("logs").describe_log_groups(logGroupNamePrefix="/aws/rds/instance/")
    assert {group["retentionInDays"] for group in groups["logGroups"]} == {30}


def test_secrets_are_kept_by_secrets_manager_and_not_by_cloudformation(deployment: Deployment) -> None:
    kept = deployment.aws("secretsmanager").get_secret_value(SecretId="restcalculator/dev")
    assert json.loads(kept["SecretString"]) == SECRETS
    template = json.dumps(deployment.aws("cloudformation").get_template(StackName=STACK)["TemplateBody"])
    assert not [name for name, value in SECRETS.items() if value in template]


def test_only_some_functions_are_told_the_passwords(deployment: Deployment) -> None:
    told = deployment.told("createAdmin")
    assert (told["JWT_SECRET_KEY"], told["ADMIN_PASSWORD"]) == (SECRETS["JWT_SECRET_KEY"], ADMIN_PASSWORD)
    assert "CLIENT_PASSWORD" not in told
    assert "ADMIN_PASSWORD" not in deployment.told("login")


def test_whoever_knows_the_admin_password_makes_an_admin(deployment: Deployment) -> None:
    account = {"email": "boss@example.com", "password": "Rstuvwxy1234!"}
    for password, status in ((CLIENT_PASSWORD, 401), (ADMIN_PASSWORD, 201)):
        asked = {**account, "admin_password": password}
        assert httpx.post(f"{deployment.url}/admin", json=asked, timeout=30).status_code == status


def test_a_stack_with_a_database_is_not_switched_to_another_unmeant(deployment: Deployment) -> None:
    before = deployment.state()
    done = deployment.run("-m", "deploy.release", AWS_PGSQL_PATH="postgresql://me:it@db.example.com/other")
    assert done.returncode == 1
    assert f"make deploy CONFIRM={STACK}" in done.stderr
    assert deployment.state() == before


def test_a_client_signs_in_and_is_charged(client: httpx.Client) -> None:
    done = client.post(
        "/api/v1/process_operation", json={"type": "addition", "arguments": [0.1, 0.2]}
    ).raise_for_status()
    assert (done.json()["result"], done.json()["user_balance"]) == (0.3, 15)


def test_errors_are_problems_there_too(deployment: Deployment) -> None:
    nowhere = httpx.get(f"{deployment.url}/nowhere", timeout=30)
    assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "application/problem+json")
    assert httpx.get(f"{deployment.url}/api/v1/users/me", timeout=30).status_code == 401


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


def test_the_stack_audits_its_own_database(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.audit")
    assert (done.returncode, done.stdout) == (0, "Every balance is the sum of its ledger entries.\n"), done
    with deployment.database() as database:
        database.run("UPDATE users SET balance = balance + 7 WHERE email = 'defaultclient@client.as'")
        done = deployment.run("-m", "deploy.audit")
        database.run("UPDATE users SET balance = balance - 7 WHERE email = 'defaultclient@client.as'")
    assert (done.returncode, "defaultclient@client.as" in done.stdout) == (1, True), done


def test_the_smoke_test_passes_and_charges_nothing(deployment: Deployment, client: httpx.Client) -> None:
    before = client.get("/api/v1/users/me").json()["balance"]
    done = deployment.run("-m", "deploy.smoke", URL=deployment.url, CLIENT_PASSWORD=CLIENT_PASSWORD)
    assert done.returncode == 0, done.stderr
    assert client.get("/api/v1/users/me").json()["balance"] == before


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
    assert "The old version keeps serving" in done.stderr
    assert "no_such_table" in done.stderr
    after = deployment.state()
    migrate = f"{STACK}-migrate"
    assert {**after["code"], migrate: ""} == {**before["code"], migrate: ""}
    assert after["tables"] == before["tables"]
    with deployment.signed_in() as client:
        client.get("/api/v1/users/me").raise_for_status()


def test_an_update_deploys_what_changed_and_loses_nothing(deployment: Deployment) -> None:
    before, new_key = deployment.state(), SECRETS["JWT_SECRET_KEY"][::-1]
    page = deployment.folder / "docs" / "page.html"
    page.write_text(page.read_text() + "<!-- new -->")
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
    assert deployment.told("login")["JWT_SECRET_KEY"] == new_key
    assert "<!-- new -->" in httpx.get(f"{deployment.url}/docs", timeout=30).text
    with deployment.signed_in() as client:
        assert client.get("/api/v1/users/me").json()["balance"] == 5


def test_production_is_removed_only_by_its_name(deployment: Deployment) -> None:
    refused = deployment.run("-m", "deploy.remove")
    assert refused.returncode == 1
    assert f"CONFIRM={STACK}" in refused.stderr
    assert httpx.get(f"{deployment.url}/health", timeout=30).status_code == 200


def test_what_is_removed_is_gone(deployment: Deployment) -> None:
    done = deployment.run("-m", "deploy.remove", CONFIRM=STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.aws("lambda").list_functions()["Functions"] == []
    assert deployment.aws("s3").list_buckets()["Buckets"] == []
    assert deployment.aws("sqs").list_queues().get("QueueUrls", []) == []
    assert deployment.aws("secretsmanager").list_secrets()["SecretList"] == []
    assert httpx.get(f"{deployment.url}/health", timeout=30).status_code == 404


def completed(client: httpx.Client, task: str) -> dict[str, Any] | None:
    told: dict[str, Any] = client.get(f"/api/v1/tasks/{task}").raise_for_status().json()
    assert told["status"] in ("awaiting_upload", "queued", "processing", "completed"), told
    return told if told["status"] == "completed" else None


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with (
        # Not in pytest's tmp_path, which is kept after the run, and which another pytest closes to the user
        # that Postgres runs as.
        TemporaryDirectory(prefix="deploy-", ignore_cleanup_errors=True) as name,
        postgres_over_tcp((folder := Path(name)) / "postgres") as database,
        ministack(folder) as endpoint,
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
