"""The secrets of a stack in Secrets Manager; the template only refers to them (resources/secrets.cjs)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from deploy.config import SERVICE

NAMES = (
    "JWT_SECRET_KEY",
    "JWT_SECRET_KEY_OLD",
    "CLIENT_PASSWORD",
    "ADMIN_PASSWORD",
    "RANDOM_STRING_API_KEY",
    "ORIGIN_SECRET",
    "AWS_PGSQL_PATH",
)


def store(secrets: Any, environment: Mapping[str, str]) -> str:
    """Store those secrets of `environment` that are set, and return the id of the version that holds them.

    Unchanged content makes no new version, so the template does not change either.
    """
    name = name_of(environment["STAGE"])
    content = json.dumps({known: environment[known] for known in NAMES if environment.get(known)})
    try:
        kept = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        description = f"The settings of {SERVICE}'s functions that are secret; make deploy writes it"
        kept = secrets.create_secret(Name=name, Description=description, SecretString=content)
    else:
        if kept["SecretString"] != content:
            kept = secrets.put_secret_value(SecretId=name, SecretString=content)
    version: str = kept["VersionId"]
    return version


def remove(secrets: Any, stage: str) -> None:
    """Delete the secrets of a removed stack without a recovery window; missing ones are ignored.

    A stack of the same stage needs the same names again. CloudFormation deletes the database's secret itself,
    but a recovery window would keep its name in use.
    """
    for name in (name_of(stage), database_name_of(stage)):
        with suppress(secrets.exceptions.ResourceNotFoundException):
            secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def name_of(stage: str) -> str:
    return f"{SERVICE}/{stage}"


def database_name_of(stage: str) -> str:
    """Return the name of the secret that resources/database/own.yml creates."""
    return f"{name_of(stage)}/database"
