"""Load the deploy's settings, open the AWS session, and read the stack from CloudFormation."""

import os
import sys
from collections.abc import Mapping

import boto3

from deploy.environment import ROOT, read_dotenv
from shared.errors import SettingsError

SERVICE = "restcalculator"


def load_environment() -> dict[str, str]:
    """Load `.env` into this process's environment and return the result. Existing variables take precedence.

    `STAGE` and `AWS_REGION` are always set. Exits if `.env` can't be read.
    """
    defaults = {"CONFIG_TYPE": "production", "STAGE": "dev", "AWS_REGION": "us-east-1"}
    try:
        from_file = {name: value for name, value in read_dotenv(ROOT / ".env").items() if value}
    except SettingsError as error:
        sys.exit(str(error))
    environment = {**defaults, **from_file, **os.environ}
    os.environ.update(environment)
    return environment


def aws_session(environment: Mapping[str, str]) -> boto3.Session:
    """Return a session for `AWS_REGION`. Exits without credentials."""
    session = boto3.Session(region_name=environment["AWS_REGION"])
    if session.get_credentials() is None:
        sys.exit("There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret.")
    return session


def stack_outputs(session: boto3.Session, stack: str) -> Mapping[str, str]:
    """Return the stack's outputs by name. Raises: ClientError if the stack does not exist."""
    (described,) = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def stack_resources(session: boto3.Session, stack: str) -> Mapping[str, str]:
    """Return the physical ids of the stack's resources by logical id.

    Raises: ClientError if the stack does not exist.
    """
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for page in pages
        for item in page["StackResourceSummaries"]
        if item.get("PhysicalResourceId") and item["ResourceStatus"] != "DELETE_COMPLETE"
    }
