"""Deploy the zip that deploy/package.py made: `python -m deploy.release`.

Validates the settings, checks the alarms, stores the secrets, chooses the zones, migrates with the new code
while the old version serves, deploys with the Serverless CLI, migrates and seeds, checks the new service's
health, and prints its URL. `STAGE` and `AWS_REGION` choose where. Safe to run again.
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
from deploy.config import SERVICE, place, session_of, stack_outputs, stack_resources
from deploy.environment import ROOT
from deploy.package import ZIP
from deploy.validate_settings import demand

MIGRATION_TIMEOUT = 300
"""Seconds, as serverless.yml gives the function."""
WAKING = ("ResourceNotReadyException", "CodeArtifactUserPendingException", "ResourceConflictException")
"""What Lambda says of a function in a VPC that nobody called for weeks, until it has its network again."""
WAKING_TIME, WAKING_STEP = 120, 3
"""Seconds."""
LOG_RETENTION_DAYS = 30
"""As serverless.yml gives the functions' logs (`logRetentionInDays`)."""


class MigrationFailed(Exception):
    """The migrate function ended with an error; the message is that error."""


def main() -> None:
    environment = place()
    demand(environment)
    stage = environment["STAGE"]
    session = session_of(environment)
    stack = f"{SERVICE}-{stage}"
    keep_database(session, stack, environment)
    try:
        os.environ["ROLLBACK_ALARMS"] = rollback_alarms(
            session.client("cloudwatch"), deployed(session, stack), environment
        )
    except AlarmsRaised as error:
        sys.exit(f"Not deployed: {error}")
    os.environ["SECRET_VERSION"] = secret.store(session.client("secretsmanager"), environment)
    if not environment.get("AWS_PGSQL_PATH") and not environment.get("AVAILABILITY_ZONES"):
        os.environ["AVAILABILITY_ZONES"] = zones.choose(session.client("ec2"), deployed(session, stack))
    lambda_ = lambda_of(session)
    migrate_first(lambda_, f"{stack}-migrate", serves=lambda: serves(session, stack))
    serverless("deploy", "--stage", stage)
    try:
        print("migrated:", migrate(lambda_, f"{stack}-migrate"))
    except MigrationFailed as error:
        sys.exit(
            f"Deployed, but the database can't be migrated: {error}\n"
            f"`npx serverless logs --function migrate --stage {stage}` tells more; `make deploy` tries again."
        )
    if database := deployed(session, stack).get("Database"):
        limit_log_retention(session.client("logs"), database)
    outputs = stack_outputs(session, stack)
    url = outputs["HttpApiUrl"]
    if not health(url):
        sys.exit(f"Deployed and migrated, but {url}/health does not answer well.{_dns_advice(outputs)}")
    print(f"{SERVICE} is deployed: {url}")


def _dns_advice(outputs: Mapping[str, str]) -> str:
    """How to point the custom domain at the API, which the first deploy with DOMAIN can't do."""
    target = outputs.get("DomainTarget")
    return f" If DOMAIN is new, add a DNS record: a CNAME (or alias) of it to {target}." if target else ""


def lambda_of(session: boto3.Session) -> Any:
    """A client that waits for the migrate function as long as it may take, and calls it once."""
    config = Config(read_timeout=MIGRATION_TIMEOUT + 10, retries={"total_max_attempts": 1})
    return session.client("lambda", config=config)


def deployed(session: boto3.Session, stack: str) -> Mapping[str, str]:
    """Return the stack's resources, none before the first deploy. Exits if AWS does not list them."""
    try:
        return stack_resources(session, stack)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # no such stack
            return {}
        sys.exit(f"Not deployed: {error}")


def limit_log_retention(logs: Any, database: str) -> None:
    """Keep the database's logs for LOG_RETENTION_DAYS.

    RDS creates a log group at its first line, with no limit, so the template can't declare it.
    """
    for kind in ("postgresql", "upgrade"):
        group = f"/aws/rds/instance/{database}/{kind}"
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=LOG_RETENTION_DAYS)


def keep_database(session: boto3.Session, stack: str, environment: Mapping[str, str]) -> None:
    """Exit if the stack has a database of its own, which `AWS_PGSQL_PATH` would remove, and `CONFIRM` does
    not name the stack."""
    if not environment.get("AWS_PGSQL_PATH") or environment.get("CONFIRM") == stack:
        return
    resources = deployed(session, stack)
    if "Database" in resources:
        sys.exit(
            f"Not deployed: {stack} has a database of its own, {resources['Database']}, and AWS_PGSQL_PATH"
            f" would take it out of the stack. If its data is moved: make deploy CONFIRM={stack}"
        )


def serves(session: boto3.Session, stack: str) -> bool:
    try:
        return health(stack_outputs(session, stack)["HttpApiUrl"])
    except (ClientError, KeyError) as error:
        print(f"health: {stack} has no URL yet: {error}")
        return False


def health(url: str) -> bool:
    """Whether the service answers, and reaches its database."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:  # noqa: S310  (https, AWS's own)
            print("health:", json.load(answer))
    except (OSError, ValueError) as error:  # no answer or 503, or one that is not the service's JSON
        print(f"health: {error}")
        return False
    return True


def migrate_first(lambda_: Any, function: str, serves: Callable[[], bool]) -> None:
    """Where a version serves already: give the new code to `migrate` alone, and run it.

    Migrations only expand what the running code needs, so the old version goes on by the new schema.
    When one fails, nothing else was touched. Where the old version does not serve anyhow (it was told
    of a wrong database), the deploy goes on: the new settings are what mends it.
    """
    try:
        current = lambda_.get_function_configuration(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return  # the first deploy: nothing serves yet, and there is no database
    code = ZIP.read_bytes()
    if current["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
        lambda_.update_function_code(FunctionName=function, ZipFile=code)
        lambda_.get_waiter("function_updated_v2").wait(FunctionName=function)
    try:
        migrate(lambda_, function)
    except MigrationFailed as error:
        if not serves():
            print(f"The version from before can't be migrated, and does not serve: {error}. Going on.")
            return
        sys.exit(
            f"Not deployed: the migration failed, and the version from before serves on. {error}\n"
            "The failed step was rolled back. Correct it in migrations/versions and `make deploy` again."
        )


def migrate(lambda_: Any, function: str) -> str:
    """Returns: what was done, as JSON. Raises: MigrationFailed."""
    return invoke(lambda_, function, {})


def invoke(lambda_: Any, function: str, event: Mapping[str, Any]) -> str:
    """What the migrate function answers to an event, as JSON. Raises: MigrationFailed."""
    answer = _awake(lambda_, function, json.dumps(event).encode())
    said: str = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise MigrationFailed(json.loads(said).get("errorMessage", said))
    return said


def _awake(lambda_: Any, function: str, payload: bytes) -> Any:
    """Lambda's answer, once the function is awake. Raises: MigrationFailed when it does not wake."""
    deadline = time.monotonic() + WAKING_TIME
    while True:
        try:
            return lambda_.invoke(FunctionName=function, Payload=payload)
        except ClientError as error:
            if error.response["Error"]["Code"] not in WAKING:
                raise
            if time.monotonic() > deadline:
                raise MigrationFailed(str(error)) from None
            time.sleep(WAKING_STEP)


def serverless(*arguments: str) -> None:
    """Run the Serverless CLI; its own words say what failed."""
    done = subprocess.run(["npx", "--no-install", "serverless", *arguments], cwd=ROOT)  # noqa: S607
    if done.returncode:
        sys.exit(f"`serverless {' '.join(arguments)}` failed; what stands above says why.")


if __name__ == "__main__":
    main()
