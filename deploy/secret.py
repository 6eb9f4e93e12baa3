"""Store a stack's secrets in Secrets Manager. The template only refers to them (resources/secrets.cjs)."""

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
    """Store the secrets that `environment` sets, and return the id of the stored version.

    Unchanged content creates no new version, so the template does not change either.
    """
    name = name_of(environment["STAGE"])
    content = json.dumps({known: environment[known] for known in NAMES if environment.get(known)})
    try:
        stored = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        description = f"Secret settings of {SERVICE}'s functions, written by make deploy"
        stored = secrets.create_secret(Name=name, Description=description, SecretString=content)
    else:
        if stored["SecretString"] != content:
            stored = secrets.put_secret_value(SecretId=name, SecretString=content)
    version: str = stored["VersionId"]
    return version


def remove(secrets: Any, stage: str) -> None:
    """Delete the secrets of a removed stack without a recovery window. Missing ones are ignored.

    The next stack of this stage needs the same names, and a recovery window would block them. That includes
    the database's secret, which CloudFormation deletes with a recovery window.
    """
    for name in (name_of(stage), database_name_of(stage)):
        with suppress(secrets.exceptions.ResourceNotFoundException):
            secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def name_of(stage: str) -> str:
    return f"{SERVICE}/{stage}"


def database_name_of(stage: str) -> str:
    """Return the name of the secret that resources/database/own.yml creates."""
    return f"{name_of(stage)}/database"
