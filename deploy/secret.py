"""The one secret of a stack: what the template only refers to (resources/secrets.cjs)."""

import json
from collections.abc import Mapping
from typing import Any

from deploy.place import SERVICE

NAMES = (
    "JWT_SECRET_KEY",
    "JWT_SECRET_KEY_OLD",
    "CLIENT_PASSWORD",
    "ADMIN_PASSWORD",
    "RANDOM_STRING_API_KEY",
    "AWS_PGSQL_PATH",
)


def store(secrets: Any, environment: Mapping[str, str]) -> str:
    """Keep the secrets of `environment`, those that are given; the id of the version that has them.

    The same content again makes no new version, so it changes nothing in the template either.
    """
    name = name_of(environment["STAGE"])
    content = json.dumps({known: environment[known] for known in NAMES if environment.get(known)})
    try:
        kept = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        description = f"What {SERVICE}'s functions are told; make deploy writes it"
        kept = secrets.create_secret(Name=name, Description=description, SecretString=content)
    else:
        if kept["SecretString"] != content:
            kept = secrets.put_secret_value(SecretId=name, SecretString=content)
    version: str = kept["VersionId"]
    return version


def remove(secrets: Any, stage: str) -> None:
    """At once, for a stack of the same name may follow; nothing when there is none."""
    secrets.delete_secret(SecretId=name_of(stage), ForceDeleteWithoutRecovery=True)


def name_of(stage: str) -> str:
    return f"{SERVICE}/{stage}"
