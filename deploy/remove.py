"""Takes a deployed stack down: `python -m deploy.remove`, by `make remove`.

`STAGE` and `AWS_REGION` say which. Of a stack that serves production it wants `CONFIRM=` with the
stack's name. The database goes with a last snapshot, the files in the bucket without.
"""

import os
import sys

import boto3
from botocore.exceptions import ClientError

from deploy import secret
from deploy.bucket import empty_bucket
from deploy.config import SERVICE, place, session_of, stack_resources
from deploy.release import serverless


def main() -> None:
    environment = place()
    stage = environment["STAGE"]
    stack = f"{SERVICE}-{stage}"
    session = session_of(environment)
    try:
        resources = stack_resources(session, stack)
    except ClientError as error:
        sys.exit(f"Nothing was removed: {error}")
    if deployed_for(session, f"{stack}-migrate") == "production" and os.environ.get("CONFIRM") != stack:
        sys.exit(f"{stack} serves production. If it is to go, with its files: make remove CONFIRM={stack}")
    if "Database" in resources:
        session.client("rds").modify_db_instance(
            DBInstanceIdentifier=resources["Database"], DeletionProtection=False, ApplyImmediately=True
        )
    if "Bucket" in resources:  # CloudFormation removes empty ones only
        try:
            empty_bucket(session.client("s3"), resources["Bucket"])
        except (ClientError, RuntimeError) as error:
            sys.exit(f"{stack} stands still, for its bucket can't be emptied: {error}")
    serverless("remove", "--stage", stage)
    secret.remove(session.client("secretsmanager"), stage)
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


if __name__ == "__main__":
    main()
