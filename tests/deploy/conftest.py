"""Runs `make package` once for all tests."""

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
"""Secrets in the environment while the templates are compiled."""
VERSION = "11111111-2222-3333-4444-555555555555"
BOUNDARY = "github/restcalculator-dev-boundary"
ALARMS = [f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}" for name in ("one", "two")]
Template = dict[str, Any]


def bare_environment() -> dict[str, str]:
    """Return the environment of this process without credentials and settings."""
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
def make_package() -> None:
    """Run `make package`, which compiles the templates and builds the zip."""
    done = subprocess.run(
        ["make", "package"],
        cwd=ROOT,
        # Set every relevant variable, so that no .env overrides it.
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
def default_template(make_package: None) -> Template:
    """The compiled template of the stack with its own database."""
    return compiled("own")


@pytest.fixture(scope="session")
def proxy_template(make_package: None) -> Template:
    """The compiled template of the stack with its own database and RDS Proxy."""
    return compiled("proxy")


@pytest.fixture(scope="session")
def external_template(make_package: None) -> Template:
    """The compiled template of the stack that uses the database of `AWS_PGSQL_PATH`."""
    return compiled("given")


def compiled(kind: str) -> Template:
    path = ROOT / "build" / "templates" / kind / "cloudformation-template-update-stack.json"
    found: Template = json.loads(path.read_text("utf-8"))
    return found


def packaged(folder: Path, **settings: str) -> Template:
    """Compile the stack with its own database into `folder`, with these settings. Return the template."""
    subprocess.run(
        ["npx", "--no-install", "serverless", "package", "--package", str(folder)],
        cwd=ROOT,
        env={**bare_environment(), "AWS_EC2_METADATA_DISABLED": "true", **settings},
        capture_output=True,
        check=True,
    )
    found: Template = json.loads((folder / "cloudformation-template-update-stack.json").read_text("utf-8"))
    return found
