"""Deploys what `make package` made: `python -m deploy.release`.

Checks the settings, deploys by the Serverless CLI, migrates and seeds the database, asks the new
service how it is, and prints its URL. `STAGE` and `AWS_REGION` choose where. Safe to run again.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping

import boto3

from localstack.settings import ROOT, read_dotenv
from shared.postgres_url import PostgresUrl
from shared.settings import SettingsError, settings

SERVICE = "restcalculator"


def main() -> None:
    environment = {"CONFIG_TYPE": "production", **read_dotenv(ROOT / ".env"), **os.environ}
    os.environ.update(environment)
    stage, region = environment.get("STAGE", "dev"), environment.get("AWS_REGION", "us-east-1")
    check_settings()
    session = boto3.Session(region_name=region)
    if session.get_credentials() is None:
        sys.exit("There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret.")
    serverless("deploy", "--stage", stage)
    serverless("invoke", "--function", "migrate", "--stage", stage)
    url = stack_outputs(session, f"{SERVICE}-{stage}")["HttpApiUrl"]
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:  # noqa: S310  (https, AWS's own)
            print("health:", json.load(answer))
    except OSError as error:
        sys.exit(f"Deployed and migrated, but {url}/health does not answer well: {error}")
    print(f"{SERVICE} is deployed: {url}")


def check_settings() -> None:
    """Exits naming what is missing or weak, before anything is deployed."""
    stacks_own = not os.environ.get("AWS_PGSQL_PATH")
    if stacks_own:
        os.environ["AWS_PGSQL_PATH"] = "postgresql://not-made-yet"
    try:
        settings().passwords()
        PostgresUrl.parse(os.environ["AWS_PGSQL_PATH"])
    except SettingsError as error:
        sys.exit(f"Not deployed. {error}.\nSettings come from the environment and .env.")
    if stacks_own:
        del os.environ["AWS_PGSQL_PATH"]


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
