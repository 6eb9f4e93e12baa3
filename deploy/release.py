"""Deploy the zip that deploy/package.py built: `python -m deploy.release`.

Validates the settings, checks the alarms, stores the secrets, chooses the zones, migrates with the new code
while the old version serves, deploys with the Serverless CLI, migrates and seeds, checks the new service's
health, and prints its URL. `STAGE` and `AWS_REGION` choose the stack. Safe to run again.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy import secret, zones
from deploy.alarms import AlarmsRaised, rollback_alarms
from deploy.config import SERVICE, aws_session, load_environment, stack_outputs, stack_resources
from deploy.environment import ROOT
from deploy.package import ZIP
from deploy.validate_settings import validate_settings

MIGRATION_TIMEOUT_SECONDS = 300
"""The timeout of the migrate function in serverless.yml."""
INACTIVE_ERRORS = (
    "ResourceNotReadyException",
    "CodeArtifactUserPendingException",
    "ResourceConflictException",
)
"""Error codes of an inactive function in a VPC. After weeks without a call Lambda removes its network
interfaces, and returns these errors until it has created new ones."""
ACTIVATION_TIMEOUT_SECONDS = 120
"""How long to retry the call of an inactive function."""
ACTIVATION_RETRY_SECONDS = 3
"""Wait between two of these retries."""
LOG_RETENTION_DAYS = 30
"""The same as `logRetentionInDays` in serverless.yml."""


class MigrationFailed(Exception):
    """The migrate function failed. The message is its error."""


def main() -> None:
    environment = load_environment()
    validate_settings(environment)
    stage = environment["STAGE"]
    session = aws_session(environment)
    stack = f"{SERVICE}-{stage}"
    require_database_kept(session, stack, environment)
    try:
        os.environ["ROLLBACK_ALARMS"] = rollback_alarms(
            session.client("cloudwatch"), deployed(session, stack), environment
        )
    except AlarmsRaised as error:
        sys.exit(f"Not deployed: {error}")
    os.environ["SECRET_VERSION"] = secret.store(session.client("secretsmanager"), environment)
    if not environment.get("AWS_PGSQL_PATH") and not environment.get("AVAILABILITY_ZONES"):
        os.environ["AVAILABILITY_ZONES"] = zones.choose(session.client("ec2"), deployed(session, stack))
    lambda_ = lambda_client(session)
    migrate_first(lambda_, f"{stack}-migrate", serves=lambda: serves(session, stack))
    serverless("deploy", "--stage", stage)
    try:
        print("migrated:", migrate(lambda_, f"{stack}-migrate"))
    except MigrationFailed as error:
        sys.exit(
            f"Deployed, but the migration failed: {error}\n"
            f"`npx serverless logs --function migrate --stage {stage}` shows its log. Correct the cause and"
            " run `make deploy` again."
        )
    if database := deployed(session, stack).get("Database"):
        limit_log_retention(session.client("logs"), database)
    outputs = stack_outputs(session, stack)
    url = outputs["HttpApiUrl"]
    if not health(url):
        sys.exit(f"Deployed and migrated, but {url}/health does not return ok.{_dns_advice(outputs)}")
    print(f"{SERVICE} is deployed: {url}")


def _dns_advice(outputs: Mapping[str, str]) -> str:
    """Return how to create DOMAIN's DNS record, which the deploy does not create; "" without DOMAIN."""
    target = outputs.get("DomainTarget")
    return f" If DOMAIN is new, add a DNS record: a CNAME or alias from it to {target}." if target else ""


def lambda_client(session: boto3.Session) -> Any:
    """Return a client that waits for the migrate function's whole timeout, and does not retry the call."""
    config = Config(read_timeout=MIGRATION_TIMEOUT_SECONDS + 10, retries={"total_max_attempts": 1})
    return session.client("lambda", config=config)


def deployed(session: boto3.Session, stack: str) -> Mapping[str, str]:
    """Return the physical ids of the stack's resources; {} before the first deploy. Exits if AWS fails."""
    try:
        return stack_resources(session, stack)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # no such stack
            return {}
        sys.exit(f"Not deployed: {error}")


def limit_log_retention(logs: Any, database: str) -> None:
    """Keep the database's logs for LOG_RETENTION_DAYS.

    RDS creates the log group without a limit at its first line, so the template can't declare it.
    """
    for kind in ("postgresql", "upgrade"):
        group = f"/aws/rds/instance/{database}/{kind}"
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=LOG_RETENTION_DAYS)


def require_database_kept(session: boto3.Session, stack: str, environment: Mapping[str, str]) -> None:
    """Exit if AWS_PGSQL_PATH would remove the stack's own database and CONFIRM does not name the stack."""
    if not environment.get("AWS_PGSQL_PATH") or environment.get("CONFIRM") == stack:
        return
    resources = deployed(session, stack)
    if "Database" in resources:
        sys.exit(
            f"Not deployed: {stack} has a database of its own, {resources['Database']}, and AWS_PGSQL_PATH"
            f" would remove it. Move its data first, then run: make deploy CONFIRM={stack}"
        )


def serves(session: boto3.Session, stack: str) -> bool:
    try:
        return health(stack_outputs(session, stack)["HttpApiUrl"])
    except (ClientError, KeyError) as error:
        print(f"health: {stack} has no URL yet: {error}")
        return False


def health(url: str) -> bool:
    """Return whether /health returns 200, which includes a query of the database."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as response:  # noqa: S310  (https, AWS's own)
            print("health:", json.load(response))
    except (OSError, ValueError) as error:  # no response, 503, or a response that is not JSON
        print(f"health: {error}")
        return False
    return True


def migrate_first(lambda_: Any, function: str, serves: Callable[[], bool]) -> None:
    """Update only the migrate function and run it, if a version is deployed already.

    Migrations only expand the schema, so the old version keeps working on the new one. A failed migration
    ends the deploy before anything else changes. If the old version is unhealthy (a wrong database URL, for
    example), the deploy continues, because its new settings may be the fix.
    """
    try:
        current = lambda_.get_function_configuration(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return  # the first deploy: no function and no database exist yet
    code = ZIP.read_bytes()
    if current["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
        lambda_.update_function_code(FunctionName=function, ZipFile=code)
        lambda_.get_waiter("function_updated_v2").wait(FunctionName=function)
    try:
        migrate(lambda_, function)
    except MigrationFailed as error:
        if not serves():
            print(f"The migration failed ({error}) and the old version is unhealthy. The deploy continues.")
            return
        sys.exit(
            f"Not deployed: the migration failed. The old version keeps serving. {error}\n"
            "The failed step was rolled back. Correct it in migrations/versions and run `make deploy` again."
        )


def migrate(lambda_: Any, function: str) -> str:
    """Migrate and seed the database, and return the function's report as JSON. Raises: MigrationFailed."""
    return invoke(lambda_, function, {})


def invoke(lambda_: Any, function: str, event: Mapping[str, Any]) -> str:
    """Invoke the migrate function and return its result as JSON. Raises: MigrationFailed."""
    response = _invoke_when_ready(lambda_, function, json.dumps(event).encode())
    result: str = response["Payload"].read().decode()
    if "FunctionError" in response:
        raise MigrationFailed(json.loads(result).get("errorMessage", result))
    return result


def _invoke_when_ready(lambda_: Any, function: str, payload: bytes) -> Any:
    """Invoke the function, and retry while Lambda restores its network.

    Raises: MigrationFailed after ACTIVATION_TIMEOUT_SECONDS.
    """
    deadline = time.monotonic() + ACTIVATION_TIMEOUT_SECONDS
    while True:
        try:
            return lambda_.invoke(FunctionName=function, Payload=payload)
        except ClientError as error:
            if error.response["Error"]["Code"] not in INACTIVE_ERRORS:
                raise
            if time.monotonic() > deadline:
                raise MigrationFailed(str(error)) from None
            time.sleep(ACTIVATION_RETRY_SECONDS)


def serverless(*arguments: str) -> None:
    """Run the Serverless CLI, which prints its errors itself. Exits if it fails."""
    done = subprocess.run(["npx", "--no-install", "serverless", *arguments], cwd=ROOT)  # noqa: S607
    if done.returncode:
        sys.exit(f"`serverless {' '.join(arguments)}` failed. Its output above has the reason.")


if __name__ == "__main__":
    main()
