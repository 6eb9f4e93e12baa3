"""Deploys what `make package` made: `python -m deploy.release`.

Checks the settings, migrates by the new code while the old serves, deploys by the Serverless CLI,
migrates and seeds, asks the new service how it is, and prints its URL. `STAGE` and `AWS_REGION` choose
where. Safe to run again.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy.demands import weaknesses
from deploy.package import ZIP
from localstack.settings import ROOT, read_dotenv

SERVICE = "restcalculator"
MIGRATION_TIMEOUT = 300
"""Seconds, as serverless.yml gives the function."""


class MigrationFailed(Exception):
    """The migrate function ended with an error; the message is that error."""


def main() -> None:
    environment = place()
    if found := weaknesses(environment):
        sys.exit("\n".join(["Not deployed. Settings come from the environment and .env:", *found]))
    stage = environment["STAGE"]
    session = session_of(environment)
    lambda_ = session.client(
        "lambda", config=Config(read_timeout=MIGRATION_TIMEOUT + 10, retries={"total_max_attempts": 1})
    )
    stack = f"{SERVICE}-{stage}"
    migrate_first(
        lambda_, f"{stack}-migrate", serves=lambda: health(stack_outputs(session, stack)["HttpApiUrl"])
    )
    serverless("deploy", "--stage", stage)
    try:
        print("migrated:", migrate(lambda_, f"{stack}-migrate"))
    except MigrationFailed as error:
        sys.exit(
            f"Deployed, but the database can't be migrated: {error}\n"
            f"`npx serverless logs --function migrate --stage {stage}` tells more; `make deploy` tries again."
        )
    url = stack_outputs(session, stack)["HttpApiUrl"]
    if not health(url):
        sys.exit(f"Deployed and migrated, but {url}/health does not answer well.")
    print(f"{SERVICE} is deployed: {url}")


def place() -> dict[str, str]:
    """The environment with `.env` behind it, `STAGE` and `AWS_REGION` included; our own becomes the same."""
    defaults = {"CONFIG_TYPE": "production", "STAGE": "dev", "AWS_REGION": "us-east-1"}
    filled_in = {name: value for name, value in read_dotenv(ROOT / ".env").items() if value}
    environment = {**defaults, **filled_in, **os.environ}
    os.environ.update(environment)
    return environment


def session_of(environment: Mapping[str, str]) -> boto3.Session:
    """Exits when there are no credentials."""
    session = boto3.Session(region_name=environment["AWS_REGION"])
    if session.get_credentials() is None:
        sys.exit("There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret.")
    return session


def health(url: str) -> bool:
    """Whether the service answers, and reaches its database."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:  # noqa: S310  (https, AWS's own)
            print("health:", json.load(answer))
    except OSError as error:
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
        deployed = lambda_.get_function_configuration(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return  # the first deploy: nothing serves yet, and there is no database
    code = ZIP.read_bytes()
    if deployed["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
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
    answer = lambda_.invoke(FunctionName=function, Payload=b"{}")
    said: str = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise MigrationFailed(json.loads(said).get("errorMessage", said))
    return said


def serverless(*arguments: str) -> None:
    """Run the Serverless CLI; its own words say what failed."""
    done = subprocess.run(["npx", "--no-install", "serverless", *arguments], cwd=ROOT)  # noqa: S607
    if done.returncode:
        sys.exit(f"`serverless {' '.join(arguments)}` failed; what stands above says why.")


def stack_outputs(session: boto3.Session, stack: str) -> Mapping[str, str]:
    described = session.client("cloudformation").describe_stacks(StackName=stack)
    return {output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0]["Outputs"]}


if __name__ == "__main__":
    main()
