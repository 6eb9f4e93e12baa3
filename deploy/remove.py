"""Delete a deployed stack: `python -m deploy.remove`, run by `make remove`.

`STAGE` and `AWS_REGION` choose the stack. A production stack requires `CONFIRM=` with its name. RDS keeps a
last snapshot of the database; the files in the bucket are deleted.
"""

import os
import sys

import boto3
from botocore.exceptions import ClientError

from deploy import secret
from deploy.bucket import empty_bucket
from deploy.config import SERVICE, aws_session, load_environment, stack_resources
from deploy.release import serverless


def main() -> None:
    environment = load_environment()
    stage = environment["STAGE"]
    stack = f"{SERVICE}-{stage}"
    session = aws_session(environment)
    try:
        resources = stack_resources(session, stack)
    except ClientError as error:
        sys.exit(f"Nothing was removed: {error}")
    if (
        deployed_config_type(session, f"{stack}-migrate") == "production"
        and os.environ.get("CONFIRM") != stack
    ):
        sys.exit(f"{stack} serves production. To delete it and its files: make remove CONFIRM={stack}")
    if "Database" in resources:
        session.client("rds").modify_db_instance(
            DBInstanceIdentifier=resources["Database"], DeletionProtection=False, ApplyImmediately=True
        )
    if "Bucket" in resources:  # CloudFormation deletes only an empty bucket
        try:
            empty_bucket(session.client("s3"), resources["Bucket"])
        except (ClientError, RuntimeError) as error:
            sys.exit(f"{stack} was not removed, because its bucket can't be emptied: {error}")
    serverless("remove", "--stage", stage)
    secret.remove(session.client("secretsmanager"), stage)
    kept = " RDS keeps a last snapshot of its database." if "Database" in resources else ""
    print(f"{stack} was removed.{kept}")


def deployed_config_type(session: boto3.Session, function: str) -> str:
    """Return the deployed CONFIG_TYPE, which may differ from `.env`; production if AWS does not return it."""
    try:
        configuration = session.client("lambda").get_function_configuration(FunctionName=function)
    except ClientError:
        return "production"
    variables: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables.get("CONFIG_TYPE", "production")


if __name__ == "__main__":
    main()
