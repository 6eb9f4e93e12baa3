"""`make package`, run once: what the tests look at."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import ROOT
from shared.settings import Settings

PLANTED = {
    name: f"planted-{name.lower()}"
    for name in (
        "JWT_SECRET_KEY",
        "JWT_SECRET_KEY_OLD",
        "CLIENT_PASSWORD",
        "ADMIN_PASSWORD",
        "RANDOM_STRING_API_KEY",
        "ORIGIN_SECRET",
    )
}
"""Secrets that are in the environment when the templates are compiled."""
VERSION = "11111111-2222-3333-4444-555555555555"
BOUNDARY = "github/restcalculator-dev-boundary"
ALARMS = [f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}" for name in ("one", "two")]
Template = dict[str, Any]


def bare_environment() -> dict[str, str]:
    """This one without credentials or settings."""
    settings = {name.upper() for name in Settings.model_fields} | {
        *("STAGE", "CONFIRM", "FRONTEND_URL", "SECRET_VERSION", "DATABASE_MULTI_AZ", "DATABASE_CLASS"),
        *("AVAILABILITY_ZONES", "PERMISSIONS_BOUNDARY", "ROLLBACK_ALARMS", "ROLLBACK_MINUTES"),
        *("DATABASE_PROXY", "DATABASE_CONNECTIONS", "ALARM_EMAIL", "BUDGET_DOLLARS"),
        *("DOMAIN", "CERTIFICATE_ARN"),
    }
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MAKE")) and name not in settings
    }


@pytest.fixture(scope="session")
def made() -> None:
    done = subprocess.run(
        ["make", "package"],
        cwd=ROOT,
        # All that matters is said here, so that no .env says otherwise.
        env={
            **bare_environment(),
            **PLANTED,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SECRET_VERSION": VERSION,
            "FRONTEND_URL": "https://app.example.com",
            "DATABASE_MULTI_AZ": "",
            "PERMISSIONS_BOUNDARY": BOUNDARY,
            "ROLLBACK_ALARMS": ",".join(ALARMS),
            "ROLLBACK_MINUTES": "10",
            "DATABASE_CONNECTIONS": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def own(made: None) -> Template:
    """The stack that has a database of its own, as compiled."""
    return compiled("own")


@pytest.fixture(scope="session")
def proxied(made: None) -> Template:
    """The stack whose API reaches its own database through RDS Proxy, as compiled."""
    return compiled("proxy")


@pytest.fixture(scope="session")
def given(made: None) -> Template:
    """The stack that uses the database of `AWS_PGSQL_PATH`, as compiled."""
    return compiled("given")


def compiled(kind: str) -> Template:
    path = ROOT / "build" / "templates" / kind / "cloudformation-template-update-stack.json"
    found: Template = json.loads(path.read_text("utf-8"))
    return found


def packaged(folder: Path, **settings: str) -> Template:
    """The stack that has a database of its own, compiled into `folder` with more settings."""
    subprocess.run(
        ["npx", "--no-install", "serverless", "package", "--package", str(folder)],
        cwd=ROOT,
        env={**bare_environment(), "AWS_EC2_METADATA_DISABLED": "true", **settings},
        capture_output=True,
        check=True,
    )
    found: Template = json.loads((folder / "cloudformation-template-update-stack.json").read_text("utf-8"))
    return found
