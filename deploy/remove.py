"""Takes a deployed stack down: `python -m deploy.remove`, by `make remove`.

`STAGE` and `AWS_REGION` say which. Of a stack that serves production it wants `CONFIRM=` with the
stack's name. The database goes with a last snapshot, the files in the bucket without.
"""

import os
import sys
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from deploy.release import SERVICE, place, serverless, session_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def main() -> None:
    environment = place()
    stage = environment["STAGE"]
    stack = f"{SERVICE}-{stage}"
    session = session_of(environment)
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    try:
        resources = {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
            if item.get("PhysicalResourceId")
        }
    except ClientError as error:
        sys.exit(f"Nothing was removed: {error}")
    if deployed_for(session, f"{stack}-migrate") == "production" and os.environ.get("CONFIRM") != stack:
        sys.exit(f"{stack} serves production. If it is to go, with its files: make remove CONFIRM={stack}")
    if "Database" in resources:
        session.client("rds").modify_db_instance(
            DBInstanceIdentifier=resources["Database"], DeletionProtection=False, ApplyImmediately=True
        )
    if "Bucket" in resources:  # CloudFormation removes empty ones only
        empty(session.client("s3"), resources["Bucket"])
    serverless("remove", "--stage", stage)
    kept = "; a last snapshot of its database stays in RDS" if "Database" in resources else ""
    print(f"{stack} is removed{kept}.")


def deployed_for(session: boto3.Session, function: str) -> str:
    """The CONFIG_TYPE that was deployed, whatever .env says by now; production where it can't be told."""
    try:
        told = session.client("lambda").get_function_configuration(FunctionName=function)
    except ClientError:
        return "production"
    kind: str = told.get("Environment", {}).get("Variables", {}).get("CONFIG_TYPE", "production")
    return kind


def empty(s3: "S3Client", bucket: str) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        if keys := [{"Key": stored["Key"]} for stored in page.get("Contents", [])]:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})  # type: ignore[typeddict-item]


if __name__ == "__main__":
    main()
