"""Where a stack is, and what is known of it: the settings, the session, and CloudFormation's account."""

import os
import sys
from collections.abc import Mapping

import boto3

from deploy.environment import ROOT, read_dotenv
from shared.settings import SettingsError

SERVICE = "restcalculator"


def place() -> dict[str, str]:
    """Return the environment with `.env` behind it, and make it this process's own.

    `STAGE` and `AWS_REGION` are always set. Exits if `.env` can't be read.
    """
    defaults = {"CONFIG_TYPE": "production", "STAGE": "dev", "AWS_REGION": "us-east-1"}
    try:
        filled_in = {name: value for name, value in read_dotenv(ROOT / ".env").items() if value}
    except SettingsError as error:
        sys.exit(str(error))
    environment = {**defaults, **filled_in, **os.environ}
    os.environ.update(environment)
    return environment


def session_of(environment: Mapping[str, str]) -> boto3.Session:
    """Exits when there are no credentials."""
    session = boto3.Session(region_name=environment["AWS_REGION"])
    if session.get_credentials() is None:
        sys.exit("There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret.")
    return session


def stack_outputs(session: boto3.Session, stack: str) -> Mapping[str, str]:
    """Raises: ClientError where there is no such stack."""
    (described,) = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def stack_resources(session: boto3.Session, stack: str) -> Mapping[str, str]:
    """The names that AWS gave, by the template's names. Raises: ClientError where there is no such stack."""
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for page in pages
        for item in page["StackResourceSummaries"]
        if item.get("PhysicalResourceId") and item["ResourceStatus"] != "DELETE_COMPLETE"
    }
